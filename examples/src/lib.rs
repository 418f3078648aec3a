//! What the example programs have in common: processes of their own, and how they end.

mod child;
mod cli;
mod remains;

pub use child::ChildGuard;
pub use cli::{finish, printable, unique_name};
pub use remains::Remains;
