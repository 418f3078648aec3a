// Boost.Interprocess: two `message_queue`s, one each way, as its documentation has it.

#include "pipe.h"

#include <algorithm>
#include <memory>
#include <string>

#include <boost/interprocess/ipc/message_queue.hpp>

namespace ipc = boost::interprocess;

namespace {

// A queue reserves room for its largest message as often as it holds messages.
constexpr size_t MEMORY = 8 << 20;
constexpr size_t MOST_MESSAGES = 1024;

thread_local std::string error;

struct Pipe {
    std::unique_ptr<ipc::message_queue> out, in;
};

std::unique_ptr<ipc::message_queue> queue(const std::string &name, bool make, size_t largest) {
    if (!make) {
        return std::make_unique<ipc::message_queue>(ipc::open_only, name.c_str());
    }
    const size_t messages = std::clamp<size_t>(MEMORY / largest, 8, MOST_MESSAGES);
    return std::make_unique<ipc::message_queue>(ipc::create_only, name.c_str(), messages, largest);
}

}  // namespace

void *pipe_open(const char *name, const char *, bool is_server, size_t largest) {
    try {
        const std::string there = std::string(name) + ".to-server";
        const std::string back = std::string(name) + ".to-client";
        auto pipe = std::make_unique<Pipe>();
        pipe->out = queue(is_server ? back : there, is_server, largest);
        pipe->in = queue(is_server ? there : back, is_server, largest);
        if (!is_server) {
            // Both are linked; so nothing is left behind, however they end.
            ipc::message_queue::remove(there.c_str());
            ipc::message_queue::remove(back.c_str());
        }
        return pipe.release();
    } catch (const std::exception &failure) {
        error = failure.what();
        return nullptr;
    }
}

bool pipe_send(void *pipe, const uint8_t *bytes, size_t length) {
    try {
        static_cast<Pipe *>(pipe)->out->send(bytes, length, 0);
        return true;
    } catch (const std::exception &failure) {
        error = failure.what();
        return false;
    }
}

ptrdiff_t pipe_receive(void *pipe, uint8_t *bytes, size_t room) {
    try {
        ipc::message_queue::size_type length = 0;
        unsigned priority = 0;
        static_cast<Pipe *>(pipe)->in->receive(bytes, room, length, priority);
        return static_cast<ptrdiff_t>(length);
    } catch (const std::exception &failure) {
        error = failure.what();
        return -1;
    }
}

void pipe_close(void *pipe) { delete static_cast<Pipe *>(pipe); }

const char *pipe_error() { return error.c_str(); }
