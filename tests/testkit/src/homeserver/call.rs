//! A call of the homeserver in memory, with the failures and delays that a test has set.

use std::time::Duration;

use messenger_core::{
    Error, Result,
    error::{Failure, Refusal, System},
    id::RoomId,
};

use super::{MemoryHomeserver, State};

impl MemoryHomeserver {
    pub(super) async fn call<T>(
        &self,
        context: &'static str,
        act: impl FnOnce(&mut State) -> Result<T, Failure> + Send,
    ) -> Result<T> {
        let fail = |failure| Error::fault(System::Homeserver, failure, context, "injected by the test");
        self.fault.step().await;
        let plan = self.state().faults.next_call();
        pause(plan.request_delay).await;
        if let Some(failure) = plan.failure {
            return Err(fail(failure));
        }
        let result = act(&mut self.state()).map_err(|failure| match failure {
            Failure::Rejected => forbidden(context),
            failure => fail(failure),
        });
        self.fault.step().await;
        pause(plan.response_delay).await;
        if plan.loses_response { Err(fail(Failure::TimedOut)) } else { result }
    }

    /// Runs a call about a room, which fails if the room's calls are set to fail.
    pub(super) async fn call_in<T>(
        &self,
        room: &RoomId,
        context: &'static str,
        act: impl FnOnce(&mut State) -> Result<T, Failure> + Send,
    ) -> Result<T> {
        self.call(context, |state| state.faults.check(room).and_then(|()| act(state))).await
    }
}

/// Returns the error of a call that the homeserver answers with `M_FORBIDDEN`.
pub(super) fn forbidden(context: &'static str) -> Error {
    Error::refused(Refusal::Forbidden, context, "injected by the test")
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
