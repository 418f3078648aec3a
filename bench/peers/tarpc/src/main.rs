//! tarpc over a Unix socket with bincode.

use std::process::ExitCode;

use anyhow::{Context, Result};
use bench_kit::{End, Link, Plan, Rival, check_reply};
use futures::StreamExt;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::{client, context, serde_transport};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    bench_kit::main(|plan| plan.take(&Tarpc))
}

/// The round trip as a service.
#[tarpc::service]
trait Echo {
    /// The same back.
    async fn ask(number: u64, text: String) -> (u64, String);
}

#[derive(Clone)]
struct Server;

impl Echo for Server {
    async fn ask(self, _: context::Context, number: u64, text: String) -> (u64, String) {
        (number, text)
    }
}

struct Tarpc;

impl Rival for Tarpc {
    type Link = TarpcLink;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        Runtime::new()?.block_on(async {
            let path = plan.file("socket");
            let mut incoming = serde_transport::unix::listen(path, Bincode::default).await?;
            end.ready()?;
            while let Some(transport) = incoming.next().await {
                let channel = BaseChannel::with_defaults(transport?);
                let serve = channel.execute(Server.serve()).for_each(|response| async move {
                    tokio::spawn(response);
                });
                tokio::spawn(serve);
            }
            Ok(())
        })
    }

    fn connect(&self, plan: &Plan) -> Result<TarpcLink> {
        let runtime = Runtime::new()?;
        let client = runtime.block_on(async {
            let path = plan.file("socket");
            let transport = serde_transport::unix::connect(path, Bincode::default).await?;
            anyhow::Ok(EchoClient::new(client::Config::default(), transport).spawn())
        })?;
        Ok(TarpcLink { runtime, client })
    }
}

struct TarpcLink {
    runtime: Runtime,
    client: EchoClient,
}

impl Link for TarpcLink {
    #[inline]
    fn round_trip(&mut self, number: u64, text: &str) -> Result<()> {
        let call = self.client.ask(context::current(), number, text.into());
        let (came, came_text) = self.runtime.block_on(call).context("call")?;
        check_reply(number, came, came_text.as_bytes())
    }
}
