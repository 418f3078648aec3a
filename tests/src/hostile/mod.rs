//! Hostile peers: processes that take part in the protocol with code of their own, and write
//! whatever they like wherever they can. Of the library they know the layout alone ([`layout`]).
//!
//! `hostile-run` conducts it: a real server, an honest client that calls all the time, and
//! attackers ([`attacker`]); then the reverse, a hostile server against an honest client
//! ([`reverse`]).

#![allow(missing_docs, reason = "the names of fields and constants say it")]

pub mod attacker;
pub mod attacks;
pub mod conduct;
pub mod futex;
pub mod honest;
pub mod lane;
pub mod layout;
pub mod lies;
pub mod link;
pub mod protocol;
pub mod raw;
pub mod registry;
pub mod report;
pub mod reverse;
pub mod serve;
pub mod users;
