//! What the example programs have in common: processes of their own, and how they end.

pub mod chat;
mod child;
mod cli;
mod serving;

pub use child::ChildGuard;
pub use cli::{finish, grouped, printable, unique_name};
pub use serving::{Remains, connect_to_child, stop_if_alone};
