//! Medians, ratios and the Markdown that they are shown in.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::measured::Used;
use crate::works::{Kind, Work};

/// What one run of one mover gave.
#[derive(Clone, Debug)]
pub struct Run {
    pub used: Used,
    /// What the server used meanwhile.
    pub server_cpu: Duration,
    /// Requests by operation, as the server counted them.
    pub requests: BTreeMap<String, u64>,
}

/// All runs of one row.
pub struct Row {
    pub title: String,
    pub runs: Vec<Run>,
}

/// The heading of a table.
pub const HEADING: &str = "\
| | wall s | ÷ s3plan | user + system s | ÷ s3plan | peak MiB | requests an object | server CPU s |
|---|---|---|---|---|---|---|---|";

/// The rows of one work; the first row is what the others are held against.
pub fn rows(work: &Work, rows: &[Row]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let (wall, cpu) = (wall(first), cpu(first));
    let mut text = format!("| **{}** | | | | | | | |\n", work.title());
    for row in rows {
        let (own_wall, own_cpu) = (self::wall(row), self::cpu(row));
        let requests = median(row.runs.iter().map(|run| run.requests.values().sum::<u64>() as f64));
        let requests = match (requests > 0.0, work.kind) {
            (false, _) => "–".to_owned(),
            (true, Kind::Copy) => format!("{:.3}", requests / work.objects as f64),
            (true, Kind::List) => {
                format!("{:.2} per 1,000", requests * 1_000.0 / work.objects as f64)
            }
        };
        let server = median(row.runs.iter().map(|run| run.server_cpu.as_secs_f64()));
        let user = median(row.runs.iter().map(|run| run.used.user.as_secs_f64()));
        let peak = median(row.runs.iter().map(|run| run.used.peak as f64));
        text += &format!(
            "| {} | {own_wall:.2} | {:.2} | {user:.2} + {:.2} | {:.2} | {:.0} | {requests} | \
             {server:.2} |\n",
            row.title,
            own_wall / wall,
            own_cpu - user,
            own_cpu / cpu,
            peak / f64::from(1 << 20),
        );
    }
    text
}

fn wall(row: &Row) -> f64 {
    median(row.runs.iter().map(|run| run.used.wall.as_secs_f64()))
}

fn cpu(row: &Row) -> f64 {
    median(row.runs.iter().map(|run| run.used.cpu().as_secs_f64()))
}

/// The value in the middle; the mean of both where there are two.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let count = values.len();
    match count {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}
