//! From the words of a verb to a request: the ticket, with the price of this moment.

use crate::app::Msg;
use crate::app::command::{self, LimitVerb, Verbs};
use crate::app::ticket::read::Problem;
use crate::app::ticket::{FieldName, Form, Ticket};
use crate::cli::exit::CliError;
use crate::cli::io::Io;
use crate::cli::prices;
use crate::cli::snapshot::Snapshot;
use crate::config::Config;
use crate::domain::ids::ClientKey;
use crate::domain::outcome::Refusal;
use crate::domain::request::{Request, Verb};

/// Makes the request that a verb asks for.
///
/// # Errors
///
/// [`CliError::Usage`] says what is missing or not there, [`CliError::Refused`] what the desk would
/// refuse; [`CliError::Other`] that no price is known.
pub(super) async fn request(
    config: &Config,
    snapshot: &mut Snapshot,
    verb: &Verbs,
    key: ClientKey,
    io: &mut Io<'_>,
) -> Result<Request, CliError> {
    if let Verbs::Limit(LimitVerb::New(_)) = verb {
        let types = snapshot.store.limit_types().await?;
        snapshot.tell(Msg::LimitTypesRead(types));
    }
    let ticket = ticket(config, snapshot, verb, key, io).await?;
    Ok(Request { key, verb: drafted(snapshot, &ticket)? })
}

/// Tells whether `new` is what was sent before: the same, but for a price that nobody named and
/// that has moved since.
pub(super) fn is_the_same(verb: &Verbs, sent: &Verb, new: &Verb) -> bool {
    let mut new = new.clone();
    if verb.price().is_none() {
        match (&mut new, sent) {
            (Verb::Place(trade), Verb::Place(sent)) => trade.price = sent.price,
            (Verb::Close { price, .. }, Verb::Close { price: sent, .. }) => *price = *sent,
            (_, _) => {}
        }
    }
    new == *sent
}

/// Opens the ticket, with the price of this moment where the verb names none.
async fn ticket(
    config: &Config,
    snapshot: &mut Snapshot,
    verb: &Verbs,
    key: ClientKey,
    io: &mut Io<'_>,
) -> Result<Ticket, CliError> {
    let opened = command::ticket(&snapshot.model, verb, key).map_err(trouble)?;
    let wants_price = opened.field(FieldName::Price).is_some() && verb.price().is_none();
    let instrument = opened.form.kind().instrument(&snapshot.model, &opened);
    let Some(instrument) = instrument.filter(|_| wants_price) else { return Ok(opened) };
    let closes = matches!(opened.form, Form::Close(_));
    match prices::quote(config.feed.clone(), &instrument).await {
        Ok(quote) => {
            snapshot.tell(Msg::QuotesArrived(vec![quote]));
            command::ticket(&snapshot.model, verb, key).map_err(trouble)
        }
        // Less risk is always allowed: a position can be closed at the last price that is known.
        Err(why) if closes && opened.text(FieldName::Price).is_some() => {
            io.note(&format!("no current price ({why}); using the last one in the database"));
            Ok(opened)
        }
        Err(why) => Err(CliError::Other(format!("no price: {why}; pass price=…"))),
    }
}

/// Reads the ticket; errors name the shell's arguments.
fn drafted(snapshot: &Snapshot, ticket: &Ticket) -> Result<Verb, CliError> {
    // The word that some must type is asked for once they have seen what would be done.
    ticket.form.kind().read(&snapshot.model, ticket).map_err(|problem| {
        let is_empty = |name| ticket.text(name).is_none();
        let text = problem.text.clone();
        let text = match problem.field {
            Some(FieldName::Account) if is_empty(FieldName::Account) => {
                let mut names: Vec<&str> =
                    snapshot.model.desk.accounts.values().map(|row| row.name.as_str()).collect();
                names.sort_unstable();
                format!("no account: add @{}", names.join(" or @"))
            }
            Some(FieldName::LimitType) => {
                let types = snapshot.model.limit_types.iter();
                let names: Vec<&str> = types.map(|row| row.name.as_str()).collect();
                let typed = ticket.text(FieldName::LimitType).unwrap_or_default();
                format!("Unknown limit type: {typed}. Types: {}.", names.join(", "))
            }
            Some(FieldName::Size) if is_empty(FieldName::Size) => {
                "no size: no preset fits this instrument".to_owned()
            }
            Some(FieldName::Note) if is_empty(FieldName::Note) => {
                "a critical or emergency event needs a note: add note=\"…\"".to_owned()
            }
            Some(FieldName::Reason) if is_empty(FieldName::Reason) => {
                format!("{text}; add reason=\"…\"")
            }
            _ => text,
        };
        trouble(Problem { text, ..problem })
    })
}

/// Returns how a verb ends that cannot be sent: what the desk would refuse is refused, whoever says
/// so first.
fn trouble(problem: Problem) -> CliError {
    match problem.code {
        Some(code) => CliError::Refused(Refusal::plain(code, problem.text)),
        None => CliError::Usage(problem.text),
    }
}
