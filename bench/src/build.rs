//! Builds the rivals' programs, each by itself: one that does not build is one row's error.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::process::Group;

/// How long building one rival may take.
const BUILD_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Knows where the rivals' sources and programs are.
#[derive(Debug)]
pub(crate) struct Builder {
    manifest: PathBuf,
    target: PathBuf,
}

impl Builder {
    /// For the runner whose program is `own`: the rivals' are put beside it.
    pub(crate) fn new(own: &Path) -> Result<Self> {
        let target = own.parent().and_then(Path::parent).context("this program lies nowhere")?;
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        Ok(Self { manifest, target: target.into() })
    }

    /// Builds a rival's program, unless it is up to date.
    pub(crate) fn build(&self, package: &str) -> Result<PathBuf> {
        let bar = ProgressBar::new_spinner().with_message(format!("building {package}"));
        bar.set_style(ProgressStyle::with_template("{elapsed_precise} {spinner} {msg}")?);
        bar.enable_steady_tick(Duration::from_millis(200));
        let log = self.target.join(format!("{package}.log"));
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["build", "--release", "--locked", "--color=never", "--quiet", "-p", package])
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
            Some(true) => Ok(self.target.join("release").join(package)),
            Some(false) => bail!("does not build: {}", first_error(&said)),
            None => bail!("does not build within {BUILD_PATIENCE:?}"),
        }
    }
}

fn first_error(said: &str) -> &str {
    let is_error = |line: &&str| line.starts_with("error");
    said.lines().find(is_error).or_else(|| said.lines().last()).unwrap_or("cargo says nothing")
}
