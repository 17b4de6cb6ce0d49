//! Request bodies that were answered before they were read.
//!
//! A refusal often needs no look at the body: no token, no such path, too large. What the client has yet to send stands
//! between it and its next request then, and hyper drops such a connection without a word, so that the next request is
//! lost on it. Here the rest is read and thrown away while that is cheap; otherwise the answer says that it is the last.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONNECTION, EXPECT};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::stall::Impatient;
use crate::clock;

/// How long an answer waits for the rest of the body.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// How long a connection stays open after its last answer for a client that is still sending. Hanging up at once
/// would reset the connection, and many clients never see the answer then.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// A body that tells its [`Watch`] what was left of it.
struct Watched {
    /// `None` once read to its end.
    body: Option<Incoming>,
    asked: bool,
    /// Unused if the body was read to its end.
    left: Option<oneshot::Sender<Left>>,
}

/// What a handler left of a body.
enum Left {
    /// A rest.
    Rest {
        body: Incoming,
        /// Whether some of it was read; a client that waits for `100 Continue` has been told to go on then.
        asked: bool,
    },
    /// Nothing that could be read.
    Broken,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.asked = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        match &frame {
            Some(Ok(_)) => {}
            None => self.body = None,
            Some(Err(_)) => {
                self.body = None;
                if let Some(left) = self.left.take() {
                    // Nobody listens when the answer is on its way already.
                    let _ = left.send(Left::Broken);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !body.is_end_stream());
        if let (Some(body), Some(left)) = (rest, self.left.take()) {
            // As above.
            let _ = left.send(Left::Rest { body, asked: self.asked });
        }
    }
}

/// Waits beside a handler for what becomes of the body.
pub(super) struct Watch {
    left: oneshot::Receiver<Left>,
    /// The client sends the body only when it is asked to.
    expects: bool,
}

/// Prepares a request for its handler. There is nothing to watch about an empty body, and most requests have one.
pub(super) fn watch(request: Request<Incoming>) -> (Request, Option<Watch>) {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return (Request::from_parts(parts, Body::empty()), None);
    }
    let (sender, left) = oneshot::channel();
    let watch = Watch { left, expects: parts.headers.contains_key(EXPECT) };
    let body = Body::new(Watched { body: Some(body), asked: false, left: Some(sender) });
    (Request::from_parts(parts, body), Some(watch))
}

impl Watch {
    /// Sees to it that an answer either leaves the connection ready for the next request, or says that it is the last
    /// and has the connection linger. `limit` is how much may be read for the sake of the connection, in bytes.
    pub(super) async fn settle(mut self, mut response: Response, limit: usize, linger: &Linger) -> Response {
        let reusable = match self.left.try_recv() {
            // The sender is gone, and unused: all was read.
            Err(oneshot::error::TryRecvError::Closed) => true,
            // Somebody still reads, and may stop anywhere.
            Err(oneshot::error::TryRecvError::Empty) | Ok(Left::Broken) => false,
            // Reading on would ask for the body.
            Ok(Left::Rest { asked: false, .. }) if self.expects => false,
            // This client has had its time.
            Ok(Left::Rest { .. }) if response.status() == StatusCode::REQUEST_TIMEOUT => false,
            Ok(Left::Rest { body, .. }) => drain(body, limit).await,
        };
        if !reusable {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            linger.ask();
        }
        response
    }
}

/// Reads a body to its end, unless that takes too long or it is longer than `limit`. Says whether it did.
async fn drain(mut body: Incoming, limit: usize) -> bool {
    // What is declared and too long is not even begun with.
    if usize::try_from(body.size_hint().lower()).is_ok_and(|declared| declared > limit) {
        return false;
    }
    let to_the_end = async {
        let mut room = limit;
        while let Some(frame) = body.frame().await {
            let length = frame.ok()?.data_ref().map_or(0, Bytes::len);
            room = room.checked_sub(length)?;
        }
        Some(())
    };
    matches!(tokio::time::timeout(DRAIN_TIME, to_the_end).await, Ok(Some(())))
}

/// Whether a connection is to linger. Cloning shares the wish.
#[derive(Debug, Clone, Default)]
pub(super) struct Linger(Arc<AtomicBool>);

impl Linger {
    /// Has the connection linger.
    pub(super) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection that, if it is to linger, throws away what still comes in after the last answer, until the client hangs
/// up or [`LINGER_TIME`] is over.
#[derive(Debug)]
pub(super) struct Lingering {
    stream: Impatient,
    linger: Linger,
    /// Set once our side has been closed.
    until: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Lingering {
    /// A connection that lingers once `linger` says so.
    pub(super) fn new(stream: Impatient, linger: Linger) -> Self {
        Self { stream, linger, until: None }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, linger, until } = &mut *self;
        let (end, alarm) = match until {
            Some(until) => until,
            none => {
                ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
                if !linger.0.load(Ordering::Relaxed) {
                    return Poll::Ready(Ok(()));
                }
                let end = clock::monotonic() + LINGER_TIME;
                none.insert((end, Box::pin(tokio::time::sleep_until(end.into()))))
            }
        };
        let mut waste = [0; 8 * 1024];
        // A sender that never pauses leaves no turn for the alarm, so the clock is asked as well.
        while clock::monotonic() < *end {
            let mut waste = ReadBuf::new(&mut waste);
            match Pin::new(&mut *stream).poll_read(context, &mut waste) {
                Poll::Ready(Ok(())) if !waste.filled().is_empty() => {}
                // The client hung up, politely or not.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return alarm.as_mut().poll(context).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
#[path = "unread_tests.rs"]
mod tests;
