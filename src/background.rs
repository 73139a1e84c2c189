//! Priority of threads that do not answer requests.

/// Lets this thread run only where no other thread of the program wants the processor (`SCHED_IDLE`).
///
/// A high nice value is not enough: the kernel lets a thread that has begun finish its slice of some milliseconds
/// before it turns to a worker that has woken up. Such a worker takes the processor from an idle thread at once.
pub(crate) fn give_way() {
    // SAFETY: all zeros are a valid `sched_param`; the kernel demands a priority of 0 here.
    let param: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: the thread is the one that runs, and the parameter outlives the call.
    let _ = unsafe {
        // If it is refused, the thread has the same share of the processor as the workers.
        libc::pthread_setschedparam(libc::pthread_self(), libc::SCHED_IDLE, &raw const param)
    };
}
