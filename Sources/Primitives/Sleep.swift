internal import Glibc

/// Suspends the calling thread, which is one of our own, until `deadline`. A signal does not cut it
/// short. The corresponding C function is `clock_nanosleep`.
package func sleep(until deadline: Deadline) {
    var time = deadline.timespec
    while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
}
