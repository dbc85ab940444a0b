// Calling the driver: the one write to a descriptor that the peer made and shares.
//
// write(2) to an eventfd waits while the counter is full, unless the open file is non-blocking; and that flag
// is the open file's, so the peer may take it away whenever it likes. Looking before writing (poll) only
// makes the moment short. The kernel's own backends call eventfd_signal(), which adds what fits and never
// waits; the one way to it that is open to a process, in containers too, is an asynchronous read
// (io_submit(2)) that names the eventfd as aio_resfd: the end of the request signals it.
#pragma once

namespace testbed::gate {

// Adds 1 to the counter of an eventfd, or nothing when it is full. Never waits. Any thread; the first call of
// each makes its request queue. Where the kernel gives none (no AIO, or aio-max-nr reached) this is
// eventfd_write(3).
void call_driver(int eventfd);

}  // namespace testbed::gate
