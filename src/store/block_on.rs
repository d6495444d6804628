//! Drives the writer's future on a thread of its own; knows nothing of what it drives.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// How often the thread gives its processor away before it sleeps. An answer of SQLite is as a rule nearer than the
/// waking of a sleeping thread: measured with `cargo bench --bench throughput`, one client's call takes a third less.
const TURNS_GIVEN_AWAY: u32 = 200;

struct Woken {
    thread: Thread,
    is_woken: AtomicBool,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}

/// Runs `future` to its end on the calling thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let woken = Arc::new(Woken { thread: thread::current(), is_woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        let mut turns = 0;
        while !woken.is_woken.swap(false, Ordering::AcqRel) {
            if turns < TURNS_GIVEN_AWAY {
                turns += 1;
                thread::yield_now();
            } else {
                thread::park();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_that_is_woken_late_from_another_thread_ends() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let (asleep, may_send) = std::sync::mpsc::channel();
        let other = thread::spawn(move || {
            may_send.recv().expect("asked");
            sender.send(7).expect("somebody waits");
        });
        let answer = block_on(async {
            asleep.send(()).expect("the other thread lives");
            receiver.await.expect("sent")
        });
        other.join().expect("ended");
        assert_eq!(answer, 7);
    }
}
