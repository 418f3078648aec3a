//! A node whose files all bear the run's name, and waiting by looking.

use std::fmt::Display;

use anyhow::{Result, anyhow};
use bench_kit::{End, Plan};
use iceoryx2::prelude::*;

/// What iceoryx2 reports; not all of it are errors by the standard library's trait.
pub(crate) fn failed(error: impl Display) -> anyhow::Error {
    anyhow!("{error}")
}

/// A node with a world of its own.
pub(crate) fn node(plan: &Plan) -> Result<Node<ipc::Service>> {
    set_log_level(LogLevel::Fatal);
    let mut config = Config::default();
    config.global.prefix = FileName::new(format!("{}.", plan.name).as_bytes()).map_err(debug)?;
    let root = plan.file("iceoryx2");
    let root = iceoryx2::prelude::Path::new(root.as_os_str().as_encoded_bytes()).map_err(debug)?;
    config.global.set_root_path(&root);
    NodeBuilder::new().config(&config).create::<ipc::Service>().map_err(failed)
}

pub(crate) fn debug(error: impl std::fmt::Debug) -> anyhow::Error {
    anyhow!("{error:?}")
}

/// Looks until there is something, or the end.
#[inline]
pub(crate) fn look<T>(
    end: Option<&End>,
    mut receive: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    loop {
        for _ in 0..1_000 {
            if let Some(found) = receive()? {
                return Ok(Some(found));
            }
            std::hint::spin_loop();
        }
        if end.is_some_and(End::has_come) {
            return Ok(None);
        }
    }
}
