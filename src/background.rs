//! Priority of threads that do not answer requests.

/// Lets this thread give way to all others of the container, or of the machine (`SCHED_IDLE`).
///
/// A high nice value is not enough: the kernel lets a thread that has begun finish its slice of some milliseconds
/// before it turns to a worker that has woken up. From a `SCHED_IDLE` thread the worker takes the processor at once.
pub(crate) fn give_way() {
    // SAFETY: all zeros are a valid `sched_param`; the kernel demands a priority of 0 here.
    let param: libc::sched_param = unsafe { std::mem::zeroed() };
    // If it is refused, the thread has the same share of the processor as the workers.
    // SAFETY: the thread is the one that runs, and the parameter outlives the call.
    let _ = unsafe {
        libc::pthread_setschedparam(libc::pthread_self(), libc::SCHED_IDLE, &raw const param)
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_gives_way_is_idle() {
        let policy = std::thread::spawn(|| {
            give_way();
            let mut policy = -1;
            // SAFETY: all zeros are a valid `sched_param`.
            let mut param: libc::sched_param = unsafe { std::mem::zeroed() };
            // SAFETY: the thread is the one that runs, and both are there to be written to.
            unsafe {
                libc::pthread_getschedparam(libc::pthread_self(), &raw mut policy, &raw mut param)
            };
            policy
        });
        assert_eq!(policy.join().unwrap(), libc::SCHED_IDLE);
    }
}
