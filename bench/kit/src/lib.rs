//! What the runner and every rival's program have in common: the messages that are measured, what a
//! rival must be able to do ([`Rival`], [`Link`]), how it is measured, and how one side of a
//! measurement talks to the runner ([`main`]).

pub mod bytes;
mod measure;
mod message;
mod plan;
mod rival;
mod side;

pub use message::{
    Checker, Confirmed, Plain, Reply, Request, TEXTS, blob, check_reply, client_number, decode,
    encode, stamp, text,
};
pub use plan::{Plan, Role, Sample, Waiting, Workload};
pub use rival::{Link, Rival};
pub use side::{End, dispatch, main};
