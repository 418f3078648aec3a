//! Builds the peers' programs, each by itself: one that does not build is one row's error.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::process::Group;

/// How long building one rival may take.
const BUILD_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How all peers of a table are built: a profile of `Cargo.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Build {
    /// As `cargo build --release` does it
    Release,
    /// With `lto = "fat"` and `codegen-units = 1`
    Fat,
}

impl Build {
    /// The profile, and the folder that its programs lie in.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Fat => "fat",
        }
    }

    /// For headings.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Release => "a plain release build",
            Self::Fat => "`lto = \"fat\"`, `codegen-units = 1`",
        }
    }
}

/// Knows where sources and programs are.
#[derive(Debug)]
pub(crate) struct Builder {
    manifest: PathBuf,
    target: PathBuf,
    own: PathBuf,
}

impl Builder {
    /// For the runner whose program is `own`: the others are put beside it.
    pub(crate) fn new(own: PathBuf) -> Result<Self> {
        let target = own.parent().and_then(Path::parent).context("this program lies nowhere")?;
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        Ok(Self { manifest, target: target.into(), own })
    }

    /// This very program, or the same built in another way.
    pub(crate) fn own(&self, build: Build) -> Result<PathBuf> {
        let folder = self.own.parent().and_then(Path::file_name);
        if folder.is_some_and(|folder| folder == build.name()) {
            return Ok(self.own.clone());
        }
        self.build(env!("CARGO_PKG_NAME"), build)
    }

    /// Builds a package's program, unless it is up to date.
    pub(crate) fn build(&self, package: &str, build: Build) -> Result<PathBuf> {
        let profile = build.name();
        let bar = ProgressBar::new_spinner().with_message(format!("building {package}, {profile}"));
        bar.set_style(ProgressStyle::with_template("{elapsed_precise} {spinner} {msg}")?);
        bar.enable_steady_tick(Duration::from_millis(200));
        let log = self.target.join(format!("{package}.log"));
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["build", "--profile", profile, "--locked", "--color=never", "--quiet"])
            .args(["-p", package])
            .arg("--manifest-path")
            .arg(&self.manifest)
            .arg("--target-dir")
            .arg(&self.target)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).context("cannot keep what the compiler says")?);
        let built = Group::spawn(&mut command)?.wait(BUILD_PATIENCE);
        bar.finish_and_clear();
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        // Only of use while there is something to complain about.
        let _ = std::fs::remove_file(&log);
        match built {
            Some(true) => Ok(self.target.join(profile).join(package)),
            Some(false) => bail!("does not build: {}", first_error(&said)),
            None => bail!("does not build within {BUILD_PATIENCE:?}"),
        }
    }
}

fn first_error(said: &str) -> &str {
    let is_error = |line: &&str| line.starts_with("error");
    said.lines().find(is_error).or_else(|| said.lines().last()).unwrap_or("cargo says nothing")
}
