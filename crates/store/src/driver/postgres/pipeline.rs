//! Requests that are sent one after the other without waiting for the answers in between.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures_util::future::{MaybeDone, maybe_done};

/// Lets futures make progress in their order, and gives all their outputs once the last is done. A request of the driver
/// is sent when it is polled first, so they all go out before the first answer comes in, in this order.
pub(super) async fn in_order<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<Pin<Box<MaybeDone<F>>>> =
        futures.into_iter().map(|future| Box::pin(maybe_done(future))).collect();
    poll_fn(|context| {
        let mut is_done = true;
        for future in &mut all {
            is_done &= future.as_mut().poll(context).is_ready();
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    all.iter_mut().filter_map(|future| future.as_mut().take_output()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[tokio::test]
    async fn all_begin_before_the_first_ends() {
        let seen = RefCell::new(Vec::new());
        let outputs = in_order([3, 1, 2].map(|number| {
            let seen = &seen;
            async move {
                seen.borrow_mut().push(number);
                for _ in 0..number {
                    tokio::task::yield_now().await;
                }
                seen.borrow_mut().push(number * 10);
                number
            }
        }))
        .await;
        assert_eq!(outputs, [3, 1, 2]);
        assert_eq!(*seen.borrow(), [3, 1, 2, 10, 20, 30]);
    }
}
