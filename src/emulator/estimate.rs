//! What jobs took in the emulator's time, which is about what they would take in real time: as good as the durations in
//! `resource_types.yaml`.

use jiff::{SignedDuration, Timestamp};

use super::job::JobSnapshot;
use super::resource_types::PENDING;

/// How long a number of jobs took, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// From the first request to the last end.
    pub total: SignedDuration,
    /// The restores one after the other that the end waited for, the first one first.
    pub chain: Vec<String>,
    /// From request to end, of all of the chain.
    pub chain_took: SignedDuration,
    /// How much of that the chain spent waiting for AWS's limits on concurrent restores.
    pub chain_waited: SignedDuration,
    /// How many jobs waited for such a limit.
    pub waited: usize,
    /// How many jobs never ended, and are not counted in.
    pub endless: usize,
}

impl Estimate {
    /// Looks back from the last end: a job that was asked for when another ended, or soon after, waited for that one. None
    /// where nothing has ended.
    pub fn of(jobs: &[JobSnapshot]) -> Option<Estimate> {
        let mut ended: Vec<(Timestamp, &JobSnapshot)> = jobs
            .iter()
            .filter_map(|job| Some((job.ended_at?, job)))
            .collect();
        ended.sort_by_key(|(end, job)| (*end, job.created_at));
        let first = jobs.iter().map(|job| job.created_at).min()?;
        let (last, mut job) = *ended.last()?;
        let mut estimate = Estimate {
            total: last.duration_since(first),
            chain: Vec::new(),
            chain_took: SignedDuration::ZERO,
            chain_waited: SignedDuration::ZERO,
            waited: jobs.iter().filter(|job| !waited(job).is_zero()).count(),
            endless: jobs.len() - ended.len(),
        };
        loop {
            let end = job.ended_at.unwrap_or(job.created_at);
            estimate.chain.push(job.id.clone());
            estimate.chain_took += end.duration_since(job.created_at);
            estimate.chain_waited += waited(job);
            let before = ended.partition_point(|(end, _)| *end <= job.created_at);
            match before.checked_sub(1).map(|index| ended[index].1) {
                Some(other) => job = other,
                None => break,
            }
        }
        estimate.chain.reverse();
        Some(estimate)
    }
}

/// How long a job waited for its turn.
fn waited(job: &JobSnapshot) -> SignedDuration {
    let starts_at = job.starts_at.unwrap_or(job.created_at);
    let pending = starts_at.duration_since(job.created_at);
    (pending - PENDING).max(SignedDuration::ZERO)
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let round = |duration: SignedDuration| SignedDuration::from_secs(duration.as_secs());
        let restores = match self.chain.len() {
            1 => "one restore".to_owned(),
            more => format!("{more} restores one after the other"),
        };
        write!(
            f,
            "in real time about {:#} (an estimate, from the emulator's table of durations): {restores} took {:#} of it",
            round(self.total),
            round(self.chain_took)
        )?;
        if !self.chain_waited.is_zero() {
            write!(
                f,
                ", with {:#} of waiting for AWS's limits on concurrent restores",
                round(self.chain_waited)
            )?;
        }
        if self.endless > 0 {
            write!(f, "; not counting {} without an end", self.endless)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::job::JobStatus;
    use super::*;

    fn job(id: &str, created: i64, starts: i64, ended: Option<i64>) -> JobSnapshot {
        let at = |second| Timestamp::from_second(second).unwrap();
        JobSnapshot {
            id: id.into(),
            account: String::new(),
            region: String::new(),
            token: None,
            status: JobStatus::Completed,
            status_message: None,
            created_resource_arn: None,
            metadata: Default::default(),
            recovery_point_arn: String::new(),
            resource_type: String::new(),
            iam_role_arn: None,
            request: serde_json::Value::Null,
            parent_id: None,
            created_at: at(created),
            starts_at: Some(at(starts)),
            ended_at: ended.map(at),
        }
    }

    #[test]
    fn the_chain_that_the_end_waited_for() {
        let jobs = [
            job("a", 0, 10, Some(600)),
            job("b", 0, 10, Some(900)),
            job("c", 615, 625, Some(1000)),
            job("d", 915, 1500, Some(7200)),
            job("e", 0, 10, None),
        ];
        let estimate = Estimate::of(&jobs).unwrap();
        assert_eq!(estimate.chain, ["b", "d"]);
        assert_eq!((estimate.waited, estimate.endless), (1, 1));
        assert_eq!(
            estimate.to_string(),
            "in real time about 2h (an estimate, from the emulator's table of durations): 2 restores one after the other \
             took 1h 59m 45s of it, with 9m 35s of waiting for AWS's limits on concurrent restores; not counting 1 \
             without an end"
        );
        assert_eq!(Estimate::of(&[]), None);
        assert_eq!(Estimate::of(&jobs[4..]), None);
        assert!(
            Estimate::of(&jobs[..1])
                .unwrap()
                .to_string()
                .contains("one restore took 10m of it")
        );
    }
}
