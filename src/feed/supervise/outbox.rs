//! Reports to a caller that may be slow.

use std::time::Duration;

use tokio::sync::mpsc;

use super::FeedReport;
use crate::feed::wire::BusEvent;

/// Most events with a notice that are kept in full while the caller is too slow.
const MOST_NOTICES: usize = 32;

/// Never makes the reader wait and loses nothing: reports that do not fit into the queue are folded
/// into at most four.
#[derive(Debug)]
pub(super) struct Outbox {
    reports: mpsc::Sender<FeedReport>,
    /// The newest state of the connection.
    link: Option<FeedReport>,
    /// Gaps whose end was not reported before the connection was lost again.
    untold_gap: Duration,
    /// The newest state of the prices.
    prices: Option<FeedReport>,
    jumps: Option<(u64, u64)>,
    events: u64,
    notices: Vec<BusEvent>,
}

impl Outbox {
    pub(super) fn new(reports: mpsc::Sender<FeedReport>) -> Self {
        Self {
            reports,
            link: None,
            untold_gap: Duration::ZERO,
            prices: None,
            jumps: None,
            events: 0,
            notices: Vec::new(),
        }
    }

    /// Reports that the connection came up or went down. Of several, the newest is delivered, with the
    /// sum of the gaps: one resync covers all.
    pub(super) fn link(&mut self, mut report: FeedReport) {
        if let Some(FeedReport::Up { gap: Some(gap) }) = self.link.take() {
            self.untold_gap = self.untold_gap.saturating_add(gap);
        }
        if let FeedReport::Up { gap: Some(gap) } = &mut report {
            *gap = gap.saturating_add(std::mem::take(&mut self.untold_gap));
        }
        self.link = self.send(report);
    }

    /// Reports that prices became stale or fresh. Of several, the newest is delivered.
    pub(super) fn prices(&mut self, report: FeedReport) {
        self.prices = None;
        self.prices = self.send(report);
    }

    /// Reports gaps in sequence numbers.
    pub(super) fn jumped(&mut self, (missed, restarts): (u64, u64)) {
        if self.send(FeedReport::Jumped { missed, restarts }).is_some() {
            let (before, restarts_before) = self.jumps.unwrap_or_default();
            self.jumps =
                Some((before.saturating_add(missed), restarts_before.saturating_add(restarts)));
        }
    }

    /// Reports an event.
    pub(super) fn event(&mut self, event: Box<BusEvent>) {
        let Some(FeedReport::Event(event)) = self.send(FeedReport::Event(event)) else { return };
        self.events += 1;
        if event.alarm || event.notice.is_some() {
            // An alarm is never displaced by a lesser notice.
            if self.notices.len() >= MOST_NOTICES {
                let quietest = self.notices.iter().position(|kept| !kept.alarm);
                let place = quietest.or(event.alarm.then_some(0));
                let Some(place) = place else { return };
                self.notices.remove(place);
            }
            self.notices.push(*event);
        }
    }

    /// Whether a report waits for room in the queue.
    pub(super) fn is_waiting(&self) -> bool {
        let state = self.link.is_some() || self.prices.is_some();
        state || self.jumps.is_some() || self.events > 0
    }

    /// Waits for room and delivers one report. Cancel safe.
    pub(super) async fn deliver(&mut self) {
        // A closed queue ends the feed.
        let Ok(place) = self.reports.reserve().await else { return std::future::pending().await };
        if let Some(state) = self.link.take().or_else(|| self.prices.take()) {
            place.send(state);
        } else if let Some((missed, restarts)) = self.jumps.take() {
            place.send(FeedReport::Jumped { missed, restarts });
        } else if self.events > 0 {
            let events = std::mem::take(&mut self.events);
            let notices = std::mem::take(&mut self.notices);
            place.send(FeedReport::Collapsed { events, notices });
        }
    }

    /// Returns the report if the queue is full or another report waits.
    fn send(&mut self, report: FeedReport) -> Option<FeedReport> {
        if self.is_waiting() {
            return Some(report);
        }
        match self.reports.try_send(report) {
            Ok(()) => None,
            Err(
                mpsc::error::TrySendError::Full(report) | mpsc::error::TrySendError::Closed(report),
            ) => Some(report),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::down::Down;
    use crate::feed::wire::Ring;

    const SECOND: Duration = Duration::from_secs(1);

    fn event(id: usize, alarm: bool) -> Box<BusEvent> {
        Box::new(BusEvent {
            id: id.to_string(),
            event_type: "test".to_owned(),
            source: String::new(),
            time: None,
            copy: Ring::First,
            kinds: &[],
            rows: Vec::new(),
            notice: Some((crate::domain::event::Severity::Warning, "test".to_owned())),
            alarm,
            ends_alarm: false,
            listed: false,
        })
    }

    /// An outbox whose queue of one is full.
    fn full() -> (Outbox, mpsc::Receiver<FeedReport>) {
        let (sender, receiver) = mpsc::channel(1);
        let mut outbox = Outbox::new(sender);
        outbox.link(FeedReport::Down(Down::lost()));
        (outbox, receiver)
    }

    /// Returns what the caller receives after the report that filled the queue.
    async fn delivered(
        mut outbox: Outbox,
        mut receiver: mpsc::Receiver<FeedReport>,
    ) -> Vec<FeedReport> {
        let mut reports = Vec::new();
        receiver.recv().await.unwrap();
        while outbox.is_waiting() {
            outbox.deliver().await;
            reports.push(receiver.recv().await.unwrap());
        }
        reports
    }

    #[tokio::test]
    async fn of_many_changes_the_newest_is_kept_with_the_sum_of_gaps() {
        let (mut outbox, receiver) = full();
        outbox.link(FeedReport::Up { gap: Some(SECOND) });
        outbox.link(FeedReport::Down(Down::lost()));
        outbox.prices(FeedReport::Stale { silent: SECOND });
        outbox.link(FeedReport::Up { gap: Some(2 * SECOND) });
        outbox.prices(FeedReport::Fresh { silent: 4 * SECOND });
        outbox.jumped((3, 0));
        outbox.jumped((4, 1));

        let expected = [
            FeedReport::Up { gap: Some(3 * SECOND) },
            FeedReport::Fresh { silent: 4 * SECOND },
            FeedReport::Jumped { missed: 7, restarts: 1 },
        ];
        assert_eq!(delivered(outbox, receiver).await, expected);
    }

    #[tokio::test]
    async fn an_alarm_is_never_displaced() {
        let (mut outbox, receiver) = full();
        outbox.event(event(0, true));
        (1..=1000).for_each(|id| outbox.event(event(id, false)));

        let reports = delivered(outbox, receiver).await;
        let [FeedReport::Collapsed { events, notices }] = reports.as_slice() else {
            panic!("{reports:?}");
        };
        assert_eq!((*events, notices.len()), (1001, MOST_NOTICES));
        assert_eq!(notices.first().map(|kept| kept.id.as_str()), Some("0"));
        assert_eq!(notices.last().map(|kept| kept.id.as_str()), Some("1000"));
    }

    #[tokio::test]
    async fn of_too_many_alarms_the_newest_are_kept() {
        let (mut outbox, receiver) = full();
        (0..100).for_each(|id| outbox.event(event(id, true)));
        outbox.event(event(100, false));

        let reports = delivered(outbox, receiver).await;
        let [FeedReport::Collapsed { events: 101, notices }] = reports.as_slice() else {
            panic!("{reports:?}");
        };
        let kept: Vec<String> = notices.iter().map(|kept| kept.id.clone()).collect();
        let newest: Vec<String> = (100 - MOST_NOTICES..100).map(|id| id.to_string()).collect();
        assert_eq!(kept, newest);
    }
}
