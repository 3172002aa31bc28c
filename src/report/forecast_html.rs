//! A forecast as one page: everything in one file, nothing fetched, no script; light and dark, on a phone and on paper.

use std::fmt::Write as _;

use minijinja::Environment;
use serde_json::{Value, json};

use super::forecast::{
    ForecastReport, basis_words, by_weight, cost_words, limit_words, objective_words, percent,
    type_words, what_if_words,
};
use crate::diagnostic::{duration, visible_lines};
use crate::forecast::RunForecast;

/// The page. Everything that goes into it is escaped: its name says that it is HTML.
const TEMPLATE: (&str, &str) = ("forecast.html", include_str!("forecast.html"));
/// Restores that have a bar; the rest is a count.
const SHOWN: usize = 200;
/// The picture of what is back over time, in its own units.
const WIDE: f64 = 1000.0;
const HIGH: f64 = 260.0;

/// Renders the forecast as HTML.
#[must_use]
pub fn forecast_html(report: &ForecastReport<'_>) -> String {
    let mut environment = Environment::new();
    let (name, template) = TEMPLATE;
    let values = page(report);
    let rendered = environment
        .add_template(name, template)
        .and_then(|()| environment.get_template(name))
        .and_then(|template| template.render(minijinja::value::Serde(&values)));
    // The template is ours and a test renders it: it does not fail.
    let mut page = rendered.unwrap_or_else(|err| err.to_string());
    page.push('\n');
    visible_lines(&page).into_owned()
}

fn page(report: &ForecastReport<'_>) -> Value {
    let forecast = report.forecast;
    let all = by_weight(forecast);
    let latest = all.iter().map(|of| of.back.p90).max().unwrap_or(0);
    let end = latest.max(forecast.makespan.p90).max(1) as f64;
    let at = |seconds: i64| format!("{:.2}", seconds.max(0) as f64 / end * 100.0);
    let rows = all.iter().take(SHOWN).map(|of| {
        json!({
            "name": of.restore,
            "type": of.resource_type,
            "decides": percent(of.critical),
            "is_critical": of.critical >= 0.2,
            "from": at(of.starts),
            "sure": at(of.back.p50 - of.starts),
            "unsure": at(of.back.p90 - of.back.p50),
            "to": at(of.back.p50),
            "half": duration(of.back.p50),
            "most": duration(of.back.p90),
            "succeeds": percent(of.succeeds),
        })
    });
    let ticks = (0..=4).map(|quarter| {
        json!({ "at": quarter * 25, "words": duration((end * f64::from(quarter) / 4.0) as i64) })
    });
    let objectives = forecast.objectives.iter().map(|of| {
        json!({
            "what": of.what,
            "is_card": of.what == "rto" || of.what == "rpo",
            "card": match (of.probability, of.age_seconds) {
                (Some(likely), Some(_)) => if likely > 0.5 { "met" } else { "missed" }.to_owned(),
                (Some(likely), None) => percent(likely),
                (None, _) => "not known".to_owned(),
            },
            "age": of.age_seconds.map(duration),
            "wanted": duration(of.seconds),
            "words": objective_words(of),
            "tone": match of.probability {
                Some(likely) if likely >= 0.9 => "good",
                Some(likely) if likely < 0.5 => "bad",
                Some(_) => "late",
                None => "soft",
            },
        })
    });
    let basis = forecast.basis.iter();
    let gaining = forecast.limits.iter().filter(|of| of.gain_seconds > 0);
    json!({
        "plan": report.plan,
        "run_id": report.run_id,
        "half": duration(forecast.makespan.p50),
        "most": duration(forecast.makespan.p90),
        "nearly_all": duration(forecast.makespan.p99),
        "succeeds": percent(forecast.succeeds),
        "objectives": objectives.collect::<Vec<_>>(),
        "limits": gaining.map(limit_words).collect::<Vec<_>>(),
        "what_ifs": forecast.what_ifs.iter().map(what_if_words).collect::<Vec<_>>(),
        "fan": fan(forecast),
        "rows": rows.collect::<Vec<_>>(),
        "dense": all.len() > 40,
        "more": all.len().saturating_sub(SHOWN),
        "ticks": ticks.collect::<Vec<_>>(),
        "basis": basis.map(|of| json!({ "type": type_words(of), "words": basis_words(of) })).collect::<Vec<_>>(),
        "cost": forecast.cost.as_ref().map(|cost| {
            let words = cost_words(cost);
            words.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
        }),
        "samples": forecast.samples,
        "seed": forecast.seed.to_string(),
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// Draws how many restores are back over time, as a line with a band around it.
fn fan(forecast: &RunForecast) -> Option<Value> {
    let last = forecast.back.last()?.0.max(1.0);
    let all = forecast.restores.len().max(1) as f64;
    let place = |time: f64, count: f64| {
        format!("{:.1},{:.1}", time / last * WIDE, HIGH - count / all * HIGH)
    };
    let line = |part: usize| -> Vec<String> {
        let points = forecast.back.iter();
        points.map(|(time, of)| place(*time, of[part])).collect()
    };
    let mut band = line(0);
    band.extend(line(2).into_iter().rev());
    let mut ticks = Vec::new();
    for quarter in 0..=4 {
        let part = f64::from(quarter) / 4.0;
        ticks.push(json!({
            "at": format!("{:.0}", part * 100.0),
            "words": duration((last * part) as i64),
        }));
    }
    let mut words = String::new();
    let half = forecast.back.iter().find(|(_, of)| of[1] >= all / 2.0);
    if let Some((time, _)) = half {
        let _ = write!(
            words,
            "half of the restores are back by {}",
            duration(*time as i64)
        );
    }
    Some(json!({
        "band": band.join(" "),
        "line": line(1).join(" "),
        "count": forecast.restores.len(),
        "ticks": ticks,
        "words": words,
        "rto": forecast
            .objectives
            .iter()
            .find(|of| of.what == "rto" && of.seconds as f64 <= last)
            .map(|of| format!("{:.1}", of.seconds as f64 / last * WIDE)),
    }))
}
