//! The last yard of an answer: bodies that are cut, flipped or stalled on purpose, and the count of
//! bytes that really left.

use std::pin::Pin as StdPin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use s3s::{Body, StdError};
use tokio::time::Sleep;

use crate::fault::Effect;
use crate::shared::Shared;
use crate::witness::Pin;

/// Which bytes of which object an answer carries.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The object version.
    pub pin: Arc<Pin>,
    /// Its size.
    pub total: u64,
    /// Where the answer's bytes start in it.
    pub offset: u64,
}

/// A slow body comes in so many drops a second.
const TRICKLES: u64 = 10;

/// How the body ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The connection is closed.
    Cut,
    /// Nothing more comes.
    Stall,
    /// As if that were all.
    Short,
}

/// A body on its way to the socket.
pub struct Outgoing {
    inner: Body,
    shared: Arc<Shared>,
    serving: Option<Serving>,
    sent: u64,
    end: Option<(u64, Ending)>,
    flips: Vec<u64>,
    rest: Bytes,
    closing: Option<StdPin<Box<Sleep>>>,
    rate: Option<u64>,
    resting: Option<StdPin<Box<Sleep>>>,
}

impl Outgoing {
    /// Wraps a body with what will happen to it.
    pub fn new(
        inner: Body,
        shared: Arc<Shared>,
        serving: Option<Serving>,
        effects: &[Effect],
    ) -> Self {
        let end = effects.iter().find_map(|effect| match effect {
            Effect::CutBody { after } => Some((*after, Ending::Cut)),
            Effect::Stall { after } => Some((*after, Ending::Stall)),
            Effect::ShortBody { length } => Some((*length, Ending::Short)),
            _ => None,
        });
        let flips = effects.iter().filter_map(|effect| match effect {
            Effect::FlipBit { offset } => Some(*offset),
            _ => None,
        });
        let flips = flips.collect();
        let rate = effects.iter().find_map(|effect| match effect {
            Effect::Trickle { rate } => Some((*rate).max(1)),
            _ => None,
        });
        if let Some(serving) = &serving {
            shared.witness.sent(&serving.pin, serving.total, serving.offset, serving.offset);
        }
        let rest = Bytes::new();
        Self {
            inner,
            shared,
            serving,
            sent: 0,
            end,
            flips,
            rest,
            closing: None,
            rate,
            resting: None,
        }
    }

    /// Sends a chunk: counts it, and flips what is to be flipped.
    fn send(&mut self, chunk: Bytes) -> Frame<Bytes> {
        let (start, end) = (self.sent, self.sent + chunk.len() as u64);
        let mut hit: Vec<u64> =
            self.flips.iter().copied().filter(|offset| (start..end).contains(offset)).collect();
        hit.sort_unstable();
        if let Some(serving) = &self.serving {
            let mut from = start;
            for stop in hit.iter().copied().chain([end]) {
                let at = serving.offset;
                self.shared.witness.sent(&serving.pin, serving.total, at + from, at + stop);
                from = (stop + 1).min(end);
            }
        }
        self.sent = end;
        if hit.is_empty() {
            return Frame::data(chunk);
        }
        let mut flipped = BytesMut::from(&chunk[..]);
        hit.iter().for_each(|offset| flipped[(offset - start) as usize] ^= 1);
        Frame::data(flipped.freeze())
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: StdPin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        if let Some((at, ending)) = self.end
            && self.sent >= at
        {
            return match ending {
                Ending::Short => Poll::Ready(None),
                Ending::Stall => Poll::Pending,
                Ending::Cut => {
                    // What was sent must reach the socket before the connection is closed.
                    let closing = self.closing.get_or_insert_with(|| {
                        Box::pin(tokio::time::sleep(Duration::from_millis(30)))
                    });
                    ready!(closing.as_mut().poll(context));
                    Poll::Ready(Some(Err("the connection is cut, as the rule says".into())))
                }
            };
        }
        if let Some(resting) = &mut self.resting {
            ready!(resting.as_mut().poll(context));
            self.resting = None;
        }
        let mut chunk = std::mem::take(&mut self.rest);
        if chunk.is_empty() {
            chunk = match ready!(StdPin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
        }
        if let Some((at, _)) = self.end {
            let room = usize::try_from(at - self.sent).unwrap_or(usize::MAX);
            if chunk.len() > room {
                self.rest = chunk.split_off(room);
            }
        }
        if let Some(rate) = self.rate {
            let take = usize::try_from(rate.div_ceil(TRICKLES)).unwrap_or(usize::MAX);
            if chunk.len() > take {
                let later = chunk.split_off(take);
                self.rest = if self.rest.is_empty() {
                    later
                } else {
                    [later, std::mem::take(&mut self.rest)].concat().into()
                };
            }
            let pause = Duration::from_secs_f64(chunk.len() as f64 / rate as f64);
            self.resting = Some(Box::pin(tokio::time::sleep(pause)));
        }
        Poll::Ready(Some(Ok(self.send(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.end.is_none() && self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self.end {
            None => self.inner.size_hint(),
            Some(_) => http_body::SizeHint::default(),
        }
    }
}
