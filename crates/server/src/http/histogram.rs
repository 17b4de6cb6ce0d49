//! A histogram that two cores can fill at once: the one of `prometheus-client` takes a lock for each value.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Counts whole values (microseconds, pieces) in buckets. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Histogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    /// Upper bounds, inclusive and ascending, in the unit that is observed.
    bounds: &'static [u64],
    /// How many observed units make one that is exposed: a million turns microseconds into seconds. A divisor, since
    /// 100 / 1e6 is the number that reads 0.0001, which 100 * 1e-6 is not.
    units: f64,
    /// One count per bound, and one for what lies above the last.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [u64], units: f64) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Buckets { bounds, units, counts, sum: AtomicU64::new(0) }))
    }

    /// Counts one value.
    pub(crate) fn observe(&self, value: u64) {
        let bucket = self.0.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.0.bounds.len());
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Counts one duration, for histograms that observe microseconds.
    pub(crate) fn observe_us(&self, took: Duration) {
        self.observe(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    #[expect(clippy::cast_precision_loss, reason = "a metric may be off by one part in 2^53")]
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), std::fmt::Error> {
        let bounds = self.0.bounds.iter().map(|bound| *bound as f64 / self.0.units);
        let counts = self.0.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        // The count is the sum of what was read, so that the exposed buckets never contradict it.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.0.sum.load(Ordering::Relaxed) as f64 / self.0.units;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}
