// What a native rival gives to the bench: one side of a pair that carries messages of bytes. The bench
// measures and checks; see peers/native.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
// One side of the pair `name`; the server makes what is shared, and is there first. Messages have at
// most `largest` bytes. `directory` is the run's own. Null: `pipe_error` says why.
void *pipe_open(const char *name, const char *directory, bool is_server, size_t largest);
// Sends, and waits for room where that is what the rival does. False: `pipe_error` says why.
bool pipe_send(void *pipe, const uint8_t *bytes, size_t length);
// Waits for a message and copies it into `bytes`, where `room` bytes are. Negative: `pipe_error`.
ptrdiff_t pipe_receive(void *pipe, uint8_t *bytes, size_t room);
void pipe_close(void *pipe);
// What the last call that failed on this thread had to say.
const char *pipe_error();
}
