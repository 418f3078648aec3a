//! Sets the instructions that were just counted beside those on record. `ci/instructions` runs it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, stdin};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Parser;
use instructions::{LARGE, LATE, SMALL};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Growth beyond this fails.
const MOST_GROWTH: f64 = 0.05;
/// Depends on how two threads meet, by some hundredths, and by more on a busy machine.
const NOT_JUDGED: &str = "round_trips";

/// Compares the counts on the input (gungraun's JSON, one object for each case) with those on
/// record.
#[derive(Debug, Parser)]
struct Options {
    /// The counts on record.
    baseline: PathBuf,
    /// Write the counts down instead of comparing them.
    #[arg(long)]
    update: bool,
}

/// Counts as they were on one day with one compiler.
#[derive(Debug, Serialize, Deserialize)]
struct Baseline {
    /// `rustc --version` and its host.
    compiler: String,
    /// When they were counted.
    date: String,
    /// By case: instructions for one message.
    instructions: BTreeMap<String, f64>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `false`: something grew too much.
fn run(options: &Options) -> Result<bool> {
    let counted = counted()?;
    let path = options.baseline.display();
    if options.update {
        let baseline = Baseline {
            compiler: compiler()?,
            date: told_by(Command::new("date").args(["-u", "+%Y-%m-%d"]))?,
            instructions: counted,
        };
        let text = serde_json::to_string_pretty(&baseline)? + "\n";
        fs::write(&options.baseline, text).with_context(|| format!("cannot write {path}"))?;
        println!("{path}: {} cases on record", baseline.instructions.len());
        return Ok(true);
    }
    let text = fs::read_to_string(&options.baseline)
        .with_context(|| format!("cannot read {path}; `ci/instructions --update` writes it"))?;
    let baseline: Baseline =
        serde_json::from_str(&text).with_context(|| format!("{path} is no baseline"))?;
    let same_cases = table(&baseline.instructions, &counted);
    let compiler = compiler()?;
    if compiler != baseline.compiler {
        println!(
            "Only reported: this is {compiler},\nthe record of {} is of {}. Other compilers give \
             other counts;\nuse that one, or renew the record with `ci/instructions --update`.",
            baseline.date, baseline.compiler
        );
        return Ok(true);
    }
    Ok(same_cases)
}

/// Prints both counts of each case. `false`: one grew too much, or is on one side only.
fn table(record: &BTreeMap<String, f64>, counted: &BTreeMap<String, f64>) -> bool {
    let mut good = true;
    println!("{:<16}{:>14}{:>14}{:>10}", "a message of", "on record", "now", "growth");
    for (case, now) in counted {
        let Some(before) = record.get(case) else {
            println!("{case:<16}{:>14}{now:>14.1}            NOT ON RECORD", "");
            good = false;
            continue;
        };
        let growth = now / before - 1.0;
        let grew = growth > MOST_GROWTH && case != NOT_JUDGED;
        let verdict = match (grew, case.as_str()) {
            (true, _) => "  GREW TOO MUCH",
            (false, NOT_JUDGED) => "  not judged: the threads' meeting is chance",
            _ => "",
        };
        println!("{case:<16}{before:>14.1}{now:>14.1}{:>9.2}%{verdict}", growth * 100.0);
        good &= !grew;
    }
    for case in record.keys().filter(|case| !counted.contains_key(*case)) {
        println!("{case:<16} WAS NOT COUNTED");
        good = false;
    }
    if !good {
        println!(
            "More than {:.0} % growth, or another set of cases, fails.\nIf it is meant, renew the \
             record with `ci/instructions --update` and say why in the commit.",
            MOST_GROWTH * 100.0
        );
    }
    good
}

/// The cases on the input, by name, with instructions for each message; of several runs the least.
fn counted() -> Result<BTreeMap<String, f64>> {
    let mut text = String::new();
    stdin().read_to_string(&mut text).context("cannot read the counts")?;
    let mut counted = BTreeMap::new();
    for case in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
        let case = case.context("the input is not gungraun's JSON")?;
        let name =
            case.get("function_name").and_then(Value::as_str).context("a case without name")?;
        let messages = match name {
            "send_blobs" | "take_blobs" => LARGE,
            "take_requests" => LATE,
            _ => SMALL,
        };
        let total = instructions_of(&case).with_context(|| format!("{name} has no count"))?;
        // From the first message's handler to the last one's: one message fewer.
        let messages = if name.starts_with("take") { messages - 1 } else { messages };
        let each = total / messages as f64;
        let least = counted.entry(name.to_owned()).or_insert(each);
        *least = least.min(each);
    }
    if counted.is_empty() {
        bail!("no case was counted");
    }
    Ok(counted)
}

/// The total of `Ir` over all threads.
fn instructions_of(case: &Value) -> Option<f64> {
    let profiles = case.get("profiles")?.as_array()?;
    let count = profiles.iter().find_map(|it| it.pointer("/data/total/metrics/Ir/values/new"))?;
    count.as_f64()
}

fn compiler() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = told_by(Command::new(rustc).arg("-vV"))?;
    let line = |key: &str| told.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    Ok(format!("{}, {}", told.lines().next().unwrap_or_default(), line("host")))
}

fn told_by(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
