//! One picture for each workload.

use std::path::Path;

use anyhow::{Result, anyhow};
use bench_kit::Workload;
use plotters::prelude::*;

use crate::catalog::{self, Kind};
use crate::rows::{Figure, Results, Series};
use crate::table::{grouped, time};

const WIDTH: u32 = 900;
const BAR_HEIGHT: u32 = 22;
const MARGIN: u32 = 70;

struct Bar {
    label: String,
    value: f64,
    text: String,
    kind: Kind,
}

/// Draws all workloads that have figures.
pub(crate) fn draw(results: &Results, workloads: &[Workload], dir: &Path) -> Result<()> {
    for workload in workloads {
        let bars: Vec<Bar> = results.of(*workload).filter_map(bar).collect();
        if bars.is_empty() {
            continue;
        }
        let path = dir.join(format!("{}.svg", workload.name()));
        picture(*workload, &bars, &path)
            .map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))?;
    }
    Ok(())
}

fn bar(series: &Series) -> Option<Bar> {
    let figure = Figure::of(series.cell.workload);
    let value = series.median(|sample| figure.read(sample))?;
    let text = match figure {
        Figure::P50 | Figure::P99 => time(value),
        Figure::PerSecond | Figure::FairShare => format!("{}/s", grouped(value)),
        Figure::Bandwidth => format!("{value:.1} GB/s"),
    };
    let peer = series.cell.peer;
    let label = match series.cell.parameter {
        Some(parameter) => format!("{} {parameter}", peer.name),
        None => peer.name.into(),
    };
    Some(Bar { label, value, text, kind: peer.kind })
}

fn colour(kind: Kind) -> RGBColor {
    match kind {
        Kind::Ours => RGBColor(31, 119, 180),
        Kind::Limit => RGBColor(120, 120, 120),
        Kind::Typed | Kind::Bytes | Kind::Plain => RGBColor(214, 142, 60),
    }
}

/// Times lie decades apart, so their bars are logarithmic; rates are not.
fn length(value: f64, figure: Figure, most: f64, least: f64) -> f64 {
    match figure {
        Figure::P50 | Figure::P99 => (value / (least / 2.0)).ln() / (most / (least / 2.0)).ln(),
        _ => value / most,
    }
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn picture(workload: Workload, bars: &[Bar], path: &Path) -> Drawn {
    let figure = Figure::of(workload);
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let least = bars.iter().map(|bar| bar.value.max(1.0)).fold(f64::INFINITY, f64::min);
    let height = MARGIN + BAR_HEIGHT * u32::try_from(bars.len())?;
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let font = |size: i32| ("sans-serif", size).into_font();
    let scale = if matches!(figure, Figure::P50 | Figure::P99) {
        "less is better, logarithmic"
    } else {
        "more is better"
    };
    let title = format!("{}: {}", workload.name(), catalog::describe(workload));
    area.draw(&Text::new(title, (10, 10), font(16)))?;
    area.draw(&Text::new(scale, (10, 34), font(12)))?;
    let (left, room) = (190, 560.0);
    for (place, bar) in bars.iter().enumerate() {
        let top = i32::try_from(MARGIN - 10 + BAR_HEIGHT * u32::try_from(place)?)?;
        let wide = (length(bar.value.max(1.0), figure, most, least) * room).max(1.0) as i32;
        let body = [(left, top), (left + wide, top + 16)];
        area.draw(&Rectangle::new(body, colour(bar.kind).filled()))?;
        area.draw(&Text::new(bar.label.clone(), (10, top + 2), font(13)))?;
        area.draw(&Text::new(bar.text.clone(), (left + wide + 8, top + 2), font(13)))?;
    }
    area.present()?;
    Ok(())
}
