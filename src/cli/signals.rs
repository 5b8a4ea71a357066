//! What a run does when it is told to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::apply::stop::Stopper;
use crate::report::Screen;

use super::exit::Exit;

/// Once: park. Twice: leave at once; what is recorded is durable either way. Signals are heeded
/// from the call on, before the future is first polled.
pub(super) fn heed_signals(
    stopper: Stopper,
    screen: Screen,
) -> impl Future<Output = ()> + Send + 'static {
    let listen = |kind| signal(kind).ok();
    let mut interrupt = listen(SignalKind::interrupt());
    let mut terminate = listen(SignalKind::terminate());
    let mut hangup = listen(SignalKind::hangup());
    async move {
        let mut next = async || {
            tokio::select! {
                () = heard(&mut interrupt) => {}
                () = heard(&mut terminate) => {}
                () = heard(&mut hangup) => {}
            }
        };
        next().await;
        stopper.ask();
        screen.err_line("Stopping: what is in flight is parked; once more leaves at once.");
        next().await;
        leave_at_once();
    }
}

/// Returns when the signal comes; never, where it cannot be listened for.
async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

#[expect(clippy::exit, reason = "a person asked twice; the journal is durable up to its last fact")]
fn leave_at_once() -> ! {
    std::process::exit(Exit::Interrupted.code().into())
}
