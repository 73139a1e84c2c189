use super::*;

const DEADLINES: Deadlines = Deadlines {
    handshake: Duration::from_secs(1),
    head: Duration::from_secs(2),
    body: Duration::from_secs(3),
    write: Duration::from_secs(4),
    idle: Duration::from_secs(5),
    linger: Duration::from_secs(6),
    age: None,
    expelled: Duration::from_secs(7),
};

#[test]
fn each_phase_has_its_own_limit() {
    for (phase, limit) in [
        (Phase::Handshake, 1),
        (Phase::Head, 2),
        (Phase::Body, 3),
        (Phase::Idle, 5),
        (Phase::Linger, 6),
    ] {
        let state = ConnectionState::new(phase);
        let at = |millis| state.started + Duration::from_millis(millis);
        assert!(
            !state.sweep(&DEADLINES, at(limit * 1000 - 1)),
            "{phase:?} too early"
        );
        assert!(state.sweep(&DEADLINES, at(limit * 1000)), "{phase:?}");
        assert_eq!(state.overdue(), Some(phase));
        assert!(
            !state.sweep(&DEADLINES, at(limit * 1000)),
            "{phase:?} woken once"
        );
        state.enter(Phase::Working, at(limit * 1000));
        assert_eq!(state.overdue(), None, "{phase:?} is over");
        state.enter(phase, at(limit * 1000));
        assert_eq!(state.overdue(), None, "{phase:?} has begun again");
        assert!(state.sweep(&DEADLINES, at(limit * 2000)), "{phase:?} again");
    }
}

#[test]
fn a_write_that_waits_has_a_limit_in_any_phase() {
    let state = ConnectionState::new(Phase::Working);
    let late = state.started + Duration::from_secs(100);
    assert!(!state.sweep(&DEADLINES, late));
    state.write_waits();
    assert!(state.sweep(&DEADLINES, late));
    assert!(state.is_write_overdue());
    state.write_done();
    assert!(!state.sweep(&DEADLINES, late));
}

#[test]
fn wakes_are_passed_on_or_told() {
    struct Count(AtomicU64);
    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    let task = Arc::new(Count(AtomicU64::new(0)));
    let woken = || task.0.load(Relaxed);
    let register = |state: &ConnectionState| {
        state.register(&Context::from_waker(&Waker::from(Arc::clone(&task))));
    };
    let state = Arc::new(ConnectionState::new(Phase::Body));
    let waker = Waker::from(Arc::clone(&state));

    register(&state);
    assert_eq!(state.hold_wakes(|| 7), (7, false));
    assert_eq!(state.hold_wakes(|| waker.wake_by_ref()), ((), true));
    assert_eq!(state.hold_wakes(|| ()), ((), false), "it is told once");
    assert_eq!(woken(), 0);
    waker.wake_by_ref();
    assert_eq!(woken(), 1);
    waker.wake_by_ref();
    assert_eq!(woken(), 1, "the task has not been polled since");
    register(&state);
    waker.wake();
    assert_eq!(woken(), 2);
}

#[test]
fn a_stranger_that_goes_on_after_it_was_hurried_is_found_again() {
    let now = Instant::now();
    let later = now + STRANGER_AT_LEAST + Duration::from_millis(100);
    let hurried = || {
        let state = ConnectionState::new(Phase::Head);
        assert_eq!(state.dispensable(now), None, "it may be sending a head");
        state.enter(Phase::Idle, now);
        assert!(state.dispensable(now).is_some(), "its answer is ready");
        state.hurry();
        assert_eq!(state.dispensable(later), None, "it is about to end");
        state
    };
    // The answer was still being written.
    let state = hurried();
    state.write_waits();
    assert_eq!(state.dispensable(now), None);
    assert!(state.dispensable(later).is_some());
    state.hurry();
    assert!(state.is_write_overdue());
    // A part of the next head had come already.
    let state = hurried();
    state.enter(Phase::Head, now);
    assert_eq!(state.dispensable(now), None);
    assert!(state.dispensable(later).is_some());
}
