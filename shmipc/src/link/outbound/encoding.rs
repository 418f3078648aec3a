//! One pass of the user's `Serialize`, whatever comes of it. A message is begun in private memory;
//! where it grows past a small frame it goes on in the ring, if the turn is free and there is room,
//! and else in a buffer. The lock is never held meanwhile, and nothing is waited for.

use serde::Serialize;

use super::WhenFull;
use super::turn::Turn;
use super::{Outbound, too_large_or};
use crate::codec::{self, EncodeFailure, Sink, VecSink};
use crate::error::{EncodeError, SendError};
use crate::link::Link;
use crate::link::nesting;
use crate::os::wait::Deadline;
use crate::ring::{InPlace, SMALL_FRAME, SmallFrame};

/// Where an encoded message stands that is no small one.
pub(super) enum Encoded<'a> {
    /// In the ring, not yet published.
    InPlace(Turn<'a>, InPlace),
    /// In a buffer.
    Spilled(Vec<u8>),
}

/// How the message is sent that is being encoded.
pub(super) enum SendMode<'d> {
    Blocking(&'d mut Deadline),
    Queueing(WhenFull),
}

/// Where a message goes while it is encoded.
struct Encoder<'a, 'f, 'd> {
    outbound: &'a Outbound,
    link: &'a Link,
    small: &'f mut SmallFrame,
    mode: SendMode<'d>,
    stage: Stage<'a>,
}

enum Stage<'a> {
    Small,
    InPlace(Turn<'a>, InPlace),
    Spilled(VecSink<Vec<u8>>),
    Refused(SendError),
}

impl Outbound {
    /// Encodes `value`. `None`: it fits into `small`, and is there.
    #[inline(always)]
    pub(super) fn encode<'a, T: Serialize + ?Sized>(
        &'a self,
        link: &'a Link,
        value: &T,
        small: &mut SmallFrame,
        mode: SendMode<'_>,
    ) -> Option<Result<Encoded<'a>, SendError>> {
        self.ask_for_next();
        let encoding = nesting::Encoding::begin(nesting::address(link));
        let mut encoder = Encoder { outbound: self, link, small, mode, stage: Stage::Small };
        let encoded = codec::encode(value, &mut encoder);
        drop(encoding);
        if encoded.is_ok() && matches!(encoder.stage, Stage::Small) && !link.is_inherited() {
            // It holds nothing.
            std::mem::forget(encoder);
            return None;
        }
        Some(encoder.finish(encoded))
    }
}

impl<'a> Encoder<'a, '_, '_> {
    #[cold]
    #[inline(never)]
    fn finish(self, encoded: Result<(), EncodeFailure>) -> Result<Encoded<'a>, SendError> {
        // A forked child that comes out of the user's `Serialize`.
        self.link.check_own()?;
        // What was refused stays refused, also if the value did not care.
        let stage = match self.stage {
            Stage::Refused(error) => return Err(error),
            stage => stage,
        };
        match encoded {
            Ok(()) => {}
            Err(EncodeFailure::Value(error)) => return Err(SendError::Encode(error)),
            Err(EncodeFailure::Full) => return Err(SendError::Encode(EncodeError::ended_early())),
        }
        match stage {
            Stage::InPlace(turn, frame) => Ok(Encoded::InPlace(turn, frame)),
            Stage::Spilled(sink) => match sink.finish() {
                Ok(bytes) => Ok(Encoded::Spilled(bytes)),
                Err(error) => Err(too_large_or(error, self.outbound.maximum)),
            },
            // A small one comes here in a forked child alone; what was refused went above.
            Stage::Small | Stage::Refused(_) => Err(SendError::Forked),
        }
    }

    /// Takes what its place takes no more.
    #[cold]
    fn put_elsewhere(&mut self, bytes: &[u8]) -> bool {
        // A forked child: a thread that stayed behind may have held the lock.
        let moved = self.link.check_own().and_then(|()| match &mut self.stage {
            Stage::Small => self.leave_small(bytes.len()).map(Some),
            Stage::InPlace(turn, frame) => match turn.extend(frame, bytes.len())? {
                true => Ok(None),
                false => {
                    let least = frame.written() + bytes.len();
                    let mut spilled = self.outbound.spill(self.link, least, &self.mode)?;
                    frame.copy_to(&mut spilled);
                    Ok(Some(Stage::Spilled(spilled)))
                }
            },
            Stage::Spilled(_) | Stage::Refused(_) => Ok(None),
        });
        match moved {
            Ok(Some(stage)) => self.stage = stage,
            Ok(None) => {}
            Err(error) => self.stage = Stage::Refused(error),
        }
        match &mut self.stage {
            Stage::InPlace(_, frame) => frame.put(bytes),
            Stage::Spilled(sink) => sink.put(bytes),
            Stage::Small | Stage::Refused(_) => false,
        }
    }

    /// Where the message goes on, of which `more` bytes come next.
    fn leave_small(&mut self, more: usize) -> Result<Stage<'a>, SendError> {
        let when_full = match &mut self.mode {
            // Encoding a large message takes its time, and that counts.
            SendMode::Blocking(deadline) => {
                deadline.left();
                None
            }
            SendMode::Queueing(when_full) => Some(*when_full),
        };
        let begun = self.small.payload();
        let stage = match self.outbound.begin_in_place(self.link, begun.len() + more, when_full)? {
            Some((turn, mut frame)) => {
                frame.put(begun);
                Stage::InPlace(turn, frame)
            }
            None => {
                let least = begun.len() + more;
                let mut spilled = self.outbound.spill(self.link, least, &self.mode)?;
                spilled.put(begun);
                Stage::Spilled(spilled)
            }
        };
        self.small.close();
        Ok(stage)
    }
}

impl Sink for Encoder<'_, '_, '_> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) -> bool {
        // The likely one first; the small frame is closed where the message is elsewhere.
        self.small.put(bytes) || self.put_large(bytes)
    }
}

impl Encoder<'_, '_, '_> {
    #[inline(never)]
    fn put_large(&mut self, bytes: &[u8]) -> bool {
        match &mut self.stage {
            Stage::InPlace(_, frame) => frame.put(bytes) || self.put_elsewhere(bytes),
            Stage::Spilled(sink) => sink.put(bytes),
            Stage::Small | Stage::Refused(_) => self.put_elsewhere(bytes),
        }
    }
}

impl Outbound {
    /// Takes the turn if it is free, and begins a frame of at least so many payload bytes, if there
    /// is room for it. Whether a message would be refused in the end is asked before it is
    /// encoded.
    fn begin_in_place<'a>(
        &'a self,
        link: &'a Link,
        least: usize,
        when_full: Option<WhenFull>,
    ) -> Result<Option<(Turn<'a>, InPlace)>, SendError> {
        let mut state = self.lock();
        if let Some(when_full) = when_full
            && state.is_too_full(self, least)
            && when_full != WhenFull::Queue
        {
            return Err(self.refuse(link, state, when_full));
        }
        if !state.is_free() {
            return Ok(None);
        }
        let Some(producer) = state.producer.take() else { return Ok(None) };
        drop(state);
        let mut turn = Turn::new(self, link, producer);
        Ok(turn.begin(least)?.map(|frame| (turn, frame)))
    }

    /// A buffer for a message of which so many bytes are known.
    fn spill(
        &self,
        link: &Link,
        least: usize,
        mode: &SendMode<'_>,
    ) -> Result<VecSink<Vec<u8>>, SendError> {
        // Nobody would read what is queued. A dead peer may have left many requests for large
        // replies.
        if let (SendMode::Queueing(_), Some(departure)) = (mode, link.ended()) {
            return Err(link.send_error(departure));
        }
        let mut bytes = self.take_scratch();
        // What waits counts with all that it keeps: no odd sizes that grow by doubling.
        let room = if least < 4 * SMALL_FRAME { least.next_power_of_two() } else { least };
        bytes.reserve(room.min(self.maximum));
        Ok(VecSink::new(bytes, self.maximum))
    }
}
