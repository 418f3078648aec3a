/* callgrind's own macro: it is part of no library, only of valgrind's header. */
#include <valgrind/callgrind.h>

void instructions_toggle_collect(void) { CALLGRIND_TOGGLE_COLLECT; }
