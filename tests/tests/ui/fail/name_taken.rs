//! Names of the user's own that generated items have too: `#[shm(replies = …)]` and the like choose others.
use serde::{Deserialize, Serialize};
use shmipc::{Client, ShmMessage};

pub struct DbReply;
pub type DbClient = Client<Db>;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Db {
    Get,
}

fn main() {}
