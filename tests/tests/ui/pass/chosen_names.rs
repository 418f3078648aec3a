//! Generated items have the names that the enum chooses.
use serde::{Deserialize, Serialize};
use shmipc::{Caller, Client, Context, Local, ShmMessage};

pub struct DbReply;
pub trait DbHandler {}
pub type DbClient = Client<Db>;

#[derive(Serialize, Deserialize, ShmMessage)]
#[shm(handler = ServesDb, client = DbCalls, replies = Answers)]
pub enum Db {
    #[shm(reply = u8)]
    Get(u8),
}

struct Store;

impl ServesDb for Store {
    fn get(&mut self, _: &Context<Db>, value: u8) -> u8 {
        value + 1
    }
}

fn main() {
    let db = Local::<Db, _>::new(Store);
    assert_eq!(DbCalls::get(&db, 1).expect("it is answered"), 2);
    fn replies<P: ShmMessage<Reply = Answers>>() {}
    replies::<Db>();
    fn calls(caller: &impl Caller<Db>) -> u8 {
        caller.get(2).expect("it is answered")
    }
    assert_eq!(calls(&db), 3);
}
