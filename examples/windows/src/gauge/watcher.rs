//! The window's link to the source: one thread that sees to it, and finds the source again.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use shmipc::{Client, ConnectError};

use super::protocol::{Gauge, GaugeClient, Machine, Reading, Sample};
use crate::inbox::Teller;
use crate::session::Desk;
use crate::standing::Standing;

/// One try to connect, and the pause between two: as the chat's windows do it.
const TRY: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(400);
/// News that may wait for a window that shows nothing; then the source's queue fills, and what does
/// not fit there is missed, and told.
pub(super) const MOST_WAITING: usize = 20_000;

/// News for the window.
#[derive(Debug)]
pub(super) enum News {
    Standing(Standing),
    Machine(Machine),
    Sample(Sample),
    Missed(u64),
}

/// What the window, and the library's threads, want of the thread that watches.
#[derive(Debug)]
pub(super) enum Order {
    /// Leave in order.
    Close,
    /// The link with this number has ended.
    Gone { link: u64, why: String },
}

/// Watches until told to leave, or it turns out to be in vain.
pub(super) fn watch(name: &str, desk: &Desk<News, Order>) {
    let Desk { teller, orders, sender } = desk;
    let mut lost = None;
    let mut said = None;
    for link in 0.. {
        if teller.is_over() {
            return;
        }
        let client = match connect(name, teller, sender, link) {
            Ok(client) => client,
            Err(error @ (ConnectError::NoServer { .. } | ConnectError::NotAnswering { .. })) => {
                let why = match error {
                    ConnectError::NoServer { .. } => format!("nobody measures as {name:?}"),
                    _ => format!("the source {name:?} does not answer"),
                };
                let standing = match &lost {
                    None => Standing::Waiting(format!("{why} yet; waiting")),
                    Some(why) => Standing::Lost(format!("{why}; waiting until it is back")),
                };
                if said.as_ref() != Some(&standing) {
                    teller.tell(News::Standing(standing.clone()), 1);
                    said = Some(standing);
                }
                // Only an order to leave can come now, or a late word of an earlier link.
                match orders.recv_timeout(PAUSE) {
                    Ok(Order::Close) | Err(RecvTimeoutError::Disconnected) => return,
                    Ok(Order::Gone { .. }) | Err(RecvTimeoutError::Timeout) => {}
                }
                continue;
            }
            Err(error) => {
                return teller.tell(News::Standing(Standing::Failed(error.to_string())), 1);
            }
        };
        said = None;
        match stay(&client, teller, orders, link) {
            Some(why) => lost = Some(why),
            None => return,
        }
    }
}

fn connect(
    name: &str,
    teller: &Teller<News>,
    sender: &Sender<Order>,
    link: u64,
) -> Result<Client<Gauge>, ConnectError> {
    let (on_event, on_missed, on_departure) = (teller.clone(), teller.clone(), sender.clone());
    Client::<Gauge>::builder(name)
        .on_event(move |Reading::Taken { sample }| on_event.tell(News::Sample(sample), 1))
        .on_missed(move |count| on_missed.tell(News::Missed(count), 1))
        .on_departure(move |how| {
            let why = format!("the source is gone ({how})");
            drop(on_departure.send(Order::Gone { link, why }));
        })
        .connect_deadline(TRY)
        .connect()
}

/// Why the link ended, if not by this side.
fn stay(
    client: &Client<Gauge>,
    teller: &Teller<News>,
    orders: &Receiver<Order>,
    link: u64,
) -> Option<String> {
    // Without an answer it is gone, or about to be; that is told below.
    if let Ok(machine) = client.describe() {
        teller.tell(News::Machine(machine), 1);
    }
    let text = format!("connected to process {}", client.server_pid());
    teller.tell(News::Standing(Standing::Up(text)), 1);
    loop {
        match orders.recv() {
            Ok(Order::Gone { link: of, why }) if of == link => {
                teller.tell(News::Standing(Standing::Lost(why.clone())), 1);
                return Some(why);
            }
            Ok(Order::Gone { .. }) => {}
            Ok(Order::Close) | Err(_) => {
                client.close();
                return None;
            }
        }
    }
}
