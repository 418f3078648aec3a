//! rapace over its shared-memory transport: one session file for a pair.

#![allow(missing_docs, reason = "the service's macro documents nothing")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bench_kit::{End, Link, Plan, Rival, check_reply};
use rapace::rapace_core::shm::{ShmSession, ShmSessionConfig};
use rapace::{RpcSession, Transport};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    bench_kit::main(|plan| plan.take(&Rapace))
}

/// The round trip as a service.
#[allow(async_fn_in_trait)]
#[rapace::service]
pub trait Echo {
    async fn ask(&self, number: u64, text: String) -> (u64, String);
}

struct Server;

impl Echo for Server {
    async fn ask(&self, number: u64, text: String) -> (u64, String) {
        (number, text)
    }
}

struct Rapace;

impl Rival for Rapace {
    type Link = RapaceLink;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let runtime = Runtime::new()?;
        let session = ShmSession::create_file(plan.file("session"), ShmSessionConfig::default())
            .map_err(|error| anyhow!("{error:?}"))?;
        end.ready()?;
        let served = runtime.block_on(EchoServer::new(Server).serve(Transport::shm(session)));
        served.map_err(|error| anyhow!("{error:?}"))
    }

    fn connect(&self, plan: &Plan) -> Result<RapaceLink> {
        let runtime = Runtime::new()?;
        let session = ShmSession::open_file(plan.file("session"), ShmSessionConfig::default())
            .map_err(|error| anyhow!("{error:?}"))?;
        let session = Arc::new(RpcSession::new(Transport::shm(session)));
        let running = session.clone();
        runtime.spawn(async move { running.run().await });
        Ok(RapaceLink { client: EchoClient::new(session), runtime })
    }
}

struct RapaceLink {
    client: EchoClient,
    runtime: Runtime,
}

impl Link for RapaceLink {
    fn round_trip(&mut self, number: u64, text: &str) -> Result<()> {
        let call = self.client.ask(number, text.into());
        let answer = self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(5), call).await.context("no answer")
        })?;
        let (came, came_text) = answer.map_err(|error| anyhow!("{error:?}"))?;
        check_reply(number, came, came_text.as_bytes())
    }
}
