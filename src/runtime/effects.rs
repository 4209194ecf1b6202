//! Performs effects: each in a task of its own, answered by a message.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, watch};

use super::clock::Clock;
use super::journal::{Intent, Journal};
use super::poll::Doorbell;
use crate::app::{Effect, Model, Msg};
use crate::domain::change::Kind;
use crate::domain::code::Code;
use crate::domain::event::Severity;
use crate::domain::ids::{AccountId, ClientKey, HaltId, InstrumentId};
use crate::domain::outcome::{Accepted, Outcome, PreviewError, Refusal};
use crate::domain::request::{LimitPreview, Question, Request};
use crate::feed::publish::{Announcer, Written, announcement};
use crate::feed::supervise::FeedReport;
use crate::feed::wire::BusEvent;
use crate::store::{Store, StoreError};

/// Most effects in flight. One more is refused at once: "not sent, busy".
const AT_ONCE: usize = 64;

/// Bars read for the chart.
const BARS: u16 = 240;

/// A query to the rulebook; a newer one replaces it.
type Asked = Option<(ClientKey, Question)>;

#[derive(Debug)]
pub struct EffectRunner {
    store: Store,
    announcer: Announcer,
    clock: Clock,
    replies: mpsc::Sender<Msg>,
    doorbell: Doorbell,
    free: Arc<Semaphore>,
    questions: watch::Sender<Asked>,
    /// `None` in tests.
    journal: Option<Journal>,
}

impl EffectRunner {
    /// Starts the task that queries the rulebook.
    pub fn new(
        store: Store,
        announcer: Announcer,
        clock: Clock,
        replies: mpsc::Sender<Msg>,
        doorbell: Doorbell,
    ) -> Self {
        let (questions, asked) = watch::channel(None);
        tokio::spawn(assess(store.clone(), asked, replies.clone()));
        let free = Arc::new(Semaphore::new(AT_ONCE));
        let journal = None;
        Self { store, announcer, clock, replies, doorbell, free, questions, journal }
    }

    /// Journals every request before it is sent. If the journal cannot be written, nothing is sent.
    #[must_use]
    pub fn with_journal(mut self, journal: Option<Journal>) -> Self {
        self.journal = journal;
        self
    }

    /// Starts an effect. Returns a message only if a write cannot be started.
    pub fn perform(&self, effect: Effect, model: &Model) -> Option<Msg> {
        match effect {
            Effect::LookAgain => self.doorbell.ring(),
            Effect::ReadAll => self.doorbell.ring_for_all(),
            Effect::Assess { key, question } => {
                self.questions.send_replace(Some((key, question)));
            }
            Effect::Write(request) => return self.write(request, model),
            Effect::Resolve(request) => self.resolve(request, model),
            Effect::ReadBars { instrument, timeframe } => self.read_bars(instrument, timeframe),
            Effect::PreviewLimit(preview) => self.preview_limit(preview),
            Effect::ReadLimitTypes => self.read_limit_types(),
            // Performed by the loop, which has the screen.
            Effect::Copy(_) | Effect::Bell | Effect::Redraw | Effect::Suspend | Effect::Quit => {}
        }
        None
    }

    fn write(&self, request: Request, model: &Model) -> Option<Msg> {
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            let refusal = Refusal::plain(
                Code::NotSent,
                "busy: too many requests in flight, nothing was sent",
            );
            return Some(Msg::Answered { key: request.key, outcome: Outcome::Refused(refusal) });
        };
        let context = Context::of(&request, model, self.journal.clone());
        let (store, replies) = (self.store.clone(), self.replies.clone());
        let (announcer, clock) = (self.announcer.clone(), self.clock.clone());
        tokio::spawn(async move {
            let outcome = match context.write_down(&request, &clock).await {
                Ok(()) => store.perform(&request).await,
                Err(refusal) => Outcome::Refused(refusal),
            };
            settle(&request, outcome, context, &announcer, &clock, &replies).await;
            drop(permit);
        });
        None
    }

    fn resolve(&self, request: Request, model: &Model) {
        // The model repeats a dropped query two seconds later.
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else { return };
        let context = Context::of(&request, model, self.journal.clone());
        let (store, replies) = (self.store.clone(), self.replies.clone());
        let (announcer, clock) = (self.announcer.clone(), self.clock.clone());
        tokio::spawn(async move {
            let outcome = store.resolve(&request).await;
            settle(&request, outcome, context, &announcer, &clock, &replies).await;
            drop(permit);
        });
    }

    fn preview_limit(&self, preview: LimitPreview) {
        let (store, replies) = (self.store.clone(), self.replies.clone());
        let free = Arc::clone(&self.free).try_acquire_owned();
        tokio::spawn(async move {
            let impacts = match &free {
                Ok(_) => store.preview_limit(&preview).await.map_err(unweighed),
                Err(_) => Err(PreviewError::Failed("busy: too many requests in flight".to_owned())),
            };
            replies.send(Msg::LimitPreviewed { preview, impacts }).await.ok();
            drop(free);
        });
    }

    fn read_limit_types(&self) {
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else { return };
        let (store, replies) = (self.store.clone(), self.replies.clone());
        tokio::spawn(async move {
            match store.limit_types().await {
                Ok(types) => {
                    replies.send(Msg::LimitTypesRead(types)).await.ok();
                }
                Err(error) => tracing::debug!(%error, "limit types"),
            }
            drop(permit);
        });
    }

    fn read_bars(&self, instrument: InstrumentId, timeframe: String) {
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else { return };
        let (store, replies) = (self.store.clone(), self.replies.clone());
        tokio::spawn(async move {
            match store.bars(&instrument, &timeframe, BARS).await {
                Ok(bars) => {
                    let msg = Msg::BarsRead { instrument, timeframe, bars };
                    // The console may be gone.
                    replies.send(msg).await.ok();
                }
                Err(error) => tracing::debug!(%error, "bars"),
            }
            drop(permit);
        });
    }
}

/// What journal and announcement contain beside the request, as of sending.
#[derive(Debug, Clone)]
struct Context {
    operator: String,
    account: Option<AccountId>,
    instrument: Option<InstrumentId>,
    summary: String,
    journal: Option<Journal>,
}

impl Context {
    fn of(request: &Request, model: &Model, journal: Option<Journal>) -> Self {
        let operator = model.session.as_ref().map(|s| s.operator.clone()).unwrap_or_default();
        let (account, instrument) = model.desk.touched(&request.verb);
        Self {
            operator,
            account,
            instrument,
            summary: model
                .writes
                .iter()
                .find(|write| write.request.key == request.key)
                .map(|write| write.summary.clone())
                .unwrap_or_default(),
            journal,
        }
    }

    /// Journals the request before it is sent.
    async fn write_down(&self, request: &Request, clock: &Clock) -> Result<(), Refusal> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let (request, summary) = (request.clone(), self.summary.clone());
        let intended = journal.intend(Intent { request, summary, at: clock.now() }).await;
        intended.map_err(|error| Refusal::plain(Code::NotSent, error.to_string()))
    }

    /// Journals the outcome. If that fails, the next start queries the database.
    async fn write_end(&self, request: &Request, outcome: &Outcome) {
        if let Some(journal) = &self.journal
            && let Err(error) = journal.settle(request.key, outcome).await
        {
            tracing::warn!(%error, "the outcome of a write is not in the journal");
        }
    }
}

/// Reports the outcome of a write to the model, and announces an accepted one on the bus.
async fn settle(
    request: &Request,
    outcome: Outcome,
    context: Context,
    announcer: &Announcer,
    clock: &Clock,
    replies: &mpsc::Sender<Msg>,
) {
    let accepted = match &outcome {
        Outcome::Accepted(accepted) => Some(accepted.clone()),
        Outcome::Refused(_) | Outcome::Unknown(_) => None,
    };
    context.write_end(request, &outcome).await;
    let key = request.key;
    if replies.send(Msg::Answered { key, outcome }).await.is_err() {
        return;
    }
    if let Some(accepted) = accepted
        && let Err(reason) = announce(request, &accepted, &context, announcer, clock).await
    {
        replies.send(Msg::NotAnnounced { key, reason }).await.ok();
    }
}

async fn announce(
    request: &Request,
    accepted: &Accepted,
    context: &Context,
    announcer: &Announcer,
    clock: &Clock,
) -> Result<(), String> {
    let written = Written {
        request,
        accepted,
        operator: &context.operator,
        at: clock.now(),
        account: context.account,
        instrument: context.instrument.as_ref(),
    };
    announcer.announce(&announcement(&written)).await.map_err(|error| error.to_string())
}

/// Runs the newest query to the rulebook, one at a time.
async fn assess(store: Store, mut questions: watch::Receiver<Asked>, replies: mpsc::Sender<Msg>) {
    while questions.changed().await.is_ok() {
        let question = questions.borrow_and_update().clone();
        let Some((key, question)) = question else { continue };
        let checks = store.ask(&question).await.map_err(|error| error.to_string());
        if replies.send(Msg::Assessed { key, question, checks }).await.is_err() {
            return;
        }
    }
}

fn unweighed(error: StoreError) -> PreviewError {
    if let StoreError::WouldBeRefused { code, message } = error {
        return PreviewError::Refused(Refusal::plain(code, message));
    }
    PreviewError::Failed(error.to_string())
}

/// Converts a report of the feed to a message.
pub(super) fn report(said: FeedReport) -> Vec<Msg> {
    match said {
        FeedReport::Up { gap } => vec![Msg::FeedUp { gap }],
        FeedReport::Down(down) => vec![Msg::FeedDown { reason: down.to_string() }],
        FeedReport::Stale { silent } => vec![Msg::FeedSilent { silent }],
        FeedReport::Fresh { silent } => vec![Msg::FeedUp { gap: Some(silent) }],
        FeedReport::Jumped { missed, restarts } => vec![Msg::FeedJumped { missed, restarts }],
        FeedReport::Event(event) => spoken(*event),
        FeedReport::Collapsed { notices, .. } => notices.into_iter().flat_map(spoken).collect(),
    }
}

fn spoken(event: BusEvent) -> Vec<Msg> {
    let severity = event.notice.as_ref().map_or(Severity::Info, |(severity, _)| *severity);
    let (event_type, source) = (event.event_type, event.source);
    let listed = event.listed.then_some(Msg::BusEventLogged { event_type, source, severity });
    let is_alarm = event.alarm;
    let halts = event.rows.iter().filter(|(kind, _)| *kind == Kind::Halts);
    let halt = halts.map(|(_, id)| HaltId(*id)).next();
    let said =
        event.notice.map(|(severity, text)| Msg::BusNotified { severity, text, is_alarm, halt });
    let ended = event.ends_alarm.then_some(Msg::AlarmEnded { halt });
    listed.into_iter().chain(said).chain(ended).collect()
}
