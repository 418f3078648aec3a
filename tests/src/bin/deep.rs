//! Values nested so deep that decoding them takes much stack: `deep serve NAME`, and
//! `deep call NAME REQUEST STACK`, which calls from a thread with so many KiB of stack (0: the main
//! thread) and prints what came of it. In processes of their own: a stack that overflows ends one.

use std::error::Error;
use std::thread;

use serde::{Deserialize, Serialize};
use shmipc::{CallError, Client, Context, Server, ShmMessage};

type Block1 = [[u64; 16]; 8];
type Block4 = [[[u64; 16]; 16]; 2];
type Block16 = [[[u64; 32]; 32]; 2];
type Block128 = [[[u64; 32]; 32]; 16];

/// A list whose items each have a block.
#[derive(Debug, Serialize, Deserialize)]
struct Node<B> {
    block: B,
    next: Option<Box<Self>>,
}

fn nodes<B: Clone>(block: &B, levels: u32) -> Node<B> {
    let mut node = Node { block: block.clone(), next: None };
    for _ in 1..levels {
        node = Node { block: block.clone(), next: Some(Box::new(node)) };
    }
    node
}

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
enum Deep {
    #[shm(reply = u32)]
    Ask,
    #[shm(reply = Node<Block1>)]
    Give1 { levels: u32 },
    #[shm(reply = Node<Block4>)]
    Give4 { levels: u32 },
    #[shm(reply = Node<u8>)]
    GiveSmall { levels: u32 },
    #[shm(reply = u32)]
    Take16 { node: Box<Node<Block16>> },
    /// Two bytes for each level, and 16 KiB for each on the stack.
    #[shm(reply = u32)]
    TakePads { node: Box<Node<Option<Block16>>> },
    /// The same with more than any listener has.
    #[shm(reply = u32)]
    TakeWide { node: Box<Node<Option<Block128>>> },
}

struct Giver;

impl DeepHandler for Giver {
    fn ask(&mut self, _cx: &Context<Deep>) -> u32 {
        7
    }
    fn give1(&mut self, _cx: &Context<Deep>, levels: u32) -> Node<Block1> {
        nodes(&[[1; 16]; 8], levels)
    }
    fn give4(&mut self, _cx: &Context<Deep>, levels: u32) -> Node<Block4> {
        nodes(&[[[1; 16]; 16]; 2], levels)
    }
    fn give_small(&mut self, _cx: &Context<Deep>, levels: u32) -> Node<u8> {
        nodes(&1, levels)
    }
    fn take16(&mut self, _cx: &Context<Deep>, node: Box<Node<Block16>>) -> u32 {
        length(&node)
    }
    fn take_pads(&mut self, _cx: &Context<Deep>, node: Box<Node<Option<Block16>>>) -> u32 {
        length(&node)
    }
    fn take_wide(&mut self, _cx: &Context<Deep>, node: Box<Node<Option<Block128>>>) -> u32 {
        length(&node)
    }
}

fn length<B>(node: &Node<B>) -> u32 {
    let mut length = 1;
    let mut at = node;
    while let Some(next) = &at.next {
        at = next;
        length += 1;
    }
    length
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", name] => {
            let running = Server::<Deep>::bind(name)?.serve(Giver)?;
            println!("ready");
            Ok(running.join()?)
        }
        ["call", name, request, stack] => {
            let client = Client::<Deep>::connect(name)?;
            let (request, stack) = ((*request).to_owned(), stack.parse::<usize>()?);
            if stack == 0 {
                return call(&client, &request);
            }
            let calling = thread::Builder::new()
                .stack_size(stack << 10)
                .spawn(move || call(&client, &request).map_err(|error| error.to_string()));
            Ok(calling?.join().map_err(|_| "panicked")??)
        }
        other => Err(format!("what is {other:?}?").into()),
    }
}

/// Apart, so that its frame is not that of calls from small stacks.
#[inline(never)]
fn take_wide(client: &Client<Deep>, levels: u32) -> Result<u32, CallError> {
    client.take_wide(Box::new(nodes(&None, levels)))
}

fn call(client: &Client<Deep>, request: &str) -> Result<(), Box<dyn Error>> {
    let (what, levels) = request.split_once('=').ok_or("no number")?;
    let levels = levels.parse()?;
    let told = match what {
        "give1" => client.give1(levels).map(|node| length(&node)),
        "give4" => client.give4(levels).map(|node| length(&node)),
        "small" => client.give_small(levels).map(|node| length(&node)),
        // Made on a stack that has room for it: what is sent is the same.
        "take16" => client.take16(Box::new(nodes(&[[[1; 32]; 32]; 2], levels))),
        "pads" => client.take_pads(Box::new(nodes(&None, levels))),
        "wide" => take_wide(client, levels),
        _ => return Err("no such request".into()),
    };
    match told {
        Ok(levels) => println!("{levels}"),
        Err(error) => {
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            println!("{error} {why}");
        }
    }
    // Whatever came of it, both sides live.
    println!("{:?}", client.ask());
    Ok(())
}
