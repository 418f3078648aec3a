//! Replies of every form that a type can have.
use serde::{Deserialize, Serialize};
use shmipc::{Context, ShmMessage};
use std::collections::BTreeMap;

type Alias<T> = Result<T, String>;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Ask {
    #[shm(reply = Alias<BTreeMap<String, Vec<(u8, u16)>>>,)]
    Map,
    #[shm(reply = (u8,))]
    Tuple,
    #[shm(reply = [Option<u8>; 2 + 2])]
    Array,
    #[shm(reply = <Vec<u8> as IntoIterator>::Item)]
    Projected,
    #[shm(reply = ())]
    Unit,
    #[shm(reply = std::marker::PhantomData<u8>)]
    Path,
    #[shm(reply = Box<Self>)]
    Same(Option<Box<Self>>),
}

struct Handler;

impl AskHandler for Handler {
    fn map(&mut self, _: &Context<Ask>) -> Alias<BTreeMap<String, Vec<(u8, u16)>>> {
        Ok(BTreeMap::new())
    }
    fn tuple(&mut self, _: &Context<Ask>) -> (u8,) {
        (1,)
    }
    fn array(&mut self, _: &Context<Ask>) -> [Option<u8>; 4] {
        [None; 4]
    }
    fn projected(&mut self, _: &Context<Ask>) -> u8 {
        1
    }
    fn unit(&mut self, _: &Context<Ask>) {}
    fn path(&mut self, _: &Context<Ask>) -> std::marker::PhantomData<u8> {
        std::marker::PhantomData
    }
    fn same(&mut self, _: &Context<Ask>, value: Option<Box<Ask>>) -> Box<Ask> {
        value.unwrap_or_else(|| Box::new(Ask::Unit))
    }
}

fn main() {
    fn handler<H: AskHandler>(_: H) {}
    handler(Handler);
    assert_eq!(
        Ask::VARIANTS[0].reply,
        Some("Alias<BTreeMap<String, Vec<(u8, u16)>>>")
    );
}
