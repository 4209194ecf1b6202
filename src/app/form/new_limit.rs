//! Creating a limit.

use clap::Args;
use rust_decimal::Decimal;

use super::kind::{Facts, Fields, FormKind, Opened, chosen_account};
use super::limit;
use super::words::{self, number};
use crate::app::model::Model;
use crate::app::ticket::read::{self, Problem, needed, note};
use crate::app::ticket::{ANY, EACH_ACCOUNT, FieldKind as Kind, FieldName, Form, NewLimit, Ticket};
use crate::domain::code::Code;
use crate::domain::halt::Scope;
use crate::domain::ids::{AccountId, ClientKey};
use crate::domain::limit::LimitKind;
use crate::domain::request::{self, LimitPreview, Verb};
use crate::domain::unit::Plain;
use crate::domain::unit::Unit;
use crate::domain::unit::UnitChoice;

const FIELDS: Fields = &[
    (FieldName::LimitType, Kind::Choice),
    (FieldName::Account, Kind::Choice),
    (FieldName::Instrument, Kind::Choice),
    (FieldName::Portfolio, Kind::Choice),
    (FieldName::Value, Kind::Number),
    (FieldName::Unit, Kind::Text),
    (FieldName::Warning, Kind::Number),
    (FieldName::Until, Kind::Text),
    (FieldName::Parameters, Kind::Text),
    (FieldName::Reason, Kind::Text),
];

/// `limit new`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Words {
    /// What it limits.
    #[arg(value_name = "TYPE")]
    #[arg(help = "What it limits: max_exposure, max_daily_loss, max_open_positions …")]
    pub limit_type: String,
    /// The limit, in its unit
    #[arg(value_parser = number)]
    pub value: Decimal,
    /// Only this account
    #[arg(long)]
    pub account: Option<String>,
    /// Each account by itself
    #[arg(long, conflicts_with_all = ["account", "portfolio"])]
    pub each_account: bool,
    /// Only this instrument
    #[arg(long)]
    pub instrument: Option<String>,
    /// Only this portfolio
    #[arg(long, conflicts_with_all = ["account", "instrument"])]
    pub portfolio: Option<String>,
    /// Unit: a currency, percentage, fraction, units, lots, count …; the usual one by default
    #[arg(long)]
    pub unit: Option<String>,
    /// Warning level, in the same unit
    #[arg(long, value_parser = number)]
    pub warning: Option<Decimal>,
    /// Expiry: 45m, 2h, 3d, or a time in UTC
    #[arg(long)]
    pub until: Option<String>,
    /// Parameters of the limit type, as JSON
    #[arg(long, value_name = "JSON")]
    pub parameters: Option<String>,
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
}

/// Opens it, like the selected limit.
pub(super) fn open(model: &Model, key: ClientKey) -> Ticket {
    let like = limit::selected(model).ok();
    let mut ticket = Ticket::new(key, Form::NewLimit(NewLimit), FIELDS);
    let desk = &model.desk;
    offer_types(model, &mut ticket, like.map(|row| row.limit_type.to_string()));
    let named = |mut names: Vec<String>| {
        names.sort_unstable();
        names.dedup();
        names
    };
    let mut accounts = vec![ANY.to_owned(), EACH_ACCOUNT.to_owned()];
    accounts.extend(named(desk.accounts.values().map(|row| row.name.clone()).collect()));
    let account = like.and_then(|row| row.account).map(|id| desk.account_name(id));
    ticket.offer(FieldName::Account, accounts, Some(account.unwrap_or_else(|| ANY.to_owned())));
    let mut instruments = vec![ANY.to_owned()];
    instruments.extend(named(model.book.instruments().map(|row| row.id.to_string()).collect()));
    ticket.offer(FieldName::Instrument, instruments, Some(ANY.to_owned()));
    let mut portfolios = vec![ANY.to_owned()];
    portfolios
        .extend(named(desk.accounts.values().filter_map(|row| row.portfolio.clone()).collect()));
    ticket.offer(FieldName::Portfolio, portfolios, Some(ANY.to_owned()));
    ticket.fill(FieldName::Unit, like.map(|row| row.unit.to_string()).unwrap_or_default());
    ticket
}

/// Opens it from the arguments of a verb.
pub(in crate::app) fn from_words(model: &Model, key: ClientKey, words: &Words) -> Opened {
    let mut ticket = open(model, key);
    ticket.fill(FieldName::LimitType, words.limit_type.clone());
    let account = match words::account(model, words.account.as_deref())? {
        Some(id) => model.desk.account_name(id),
        None if words.each_account => EACH_ACCOUNT.to_owned(),
        None => ANY.to_owned(),
    };
    ticket.fill(FieldName::Account, account);
    if let Some(name) = &words.instrument {
        ticket.fill(FieldName::Instrument, words::instrument(model, name)?.id.to_string());
    }
    if let Some(name) = &words.portfolio {
        ticket.fill(FieldName::Portfolio, name.clone());
    }
    ticket.fill(FieldName::Unit, words.unit.clone().unwrap_or_default());
    if words.unit.is_none() {
        usual_unit(model, &mut ticket);
    }
    ticket.fill_number(FieldName::Value, Some(words.value));
    ticket.fill_number(FieldName::Warning, words.warning);
    for (field, text) in [
        (FieldName::Until, &words.until),
        (FieldName::Parameters, &words.parameters),
        (FieldName::Reason, &words.reason),
    ] {
        ticket.fill(field, text.clone().unwrap_or_default());
    }
    Ok(ticket)
}

/// Offers the types of limits that the database knows.
pub(in crate::app) fn offer_types(model: &Model, ticket: &mut Ticket, chosen: Option<String>) {
    let types = model.limit_types.iter().map(|row| row.name.to_string()).collect();
    ticket.offer(FieldName::LimitType, types, chosen);
}

/// Fills the unit that the chosen type is usually in.
pub(in crate::app) fn usual_unit(model: &Model, ticket: &mut Ticket) {
    let chosen = ticket.text(FieldName::LimitType);
    let Some(row) = model.limit_types.iter().find(|row| Some(row.name.as_str()) == chosen) else {
        return;
    };
    let account = ticket.text(FieldName::Account).and_then(|name| model.desk.account_named(name));
    let currency = account.or_else(|| model.desk.accounts.values().next());
    let unit = match row.units.first() {
        Some(UnitChoice::AnyCurrency) => currency.map_or("USD", |row| row.base_currency.as_str()),
        Some(UnitChoice::Only(unit)) => unit.as_str(),
        None => return,
    };
    ticket.fill(FieldName::Unit, unit.to_owned());
}

impl FormKind for NewLimit {
    fn title(&self, _model: &Model, _ticket: &Ticket) -> String {
        "NEW LIMIT".to_owned()
    }

    fn read(&self, model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
        let limit_type =
            ticket.text(FieldName::LimitType).map(LimitKind::read).ok_or_else(|| {
                let text = "choose a limit type with Left and Right";
                Problem::at(FieldName::LimitType, text)
            })?;
        let is_known = model.limit_types.iter().any(|row| row.name == limit_type);
        if !model.limit_types.is_empty() && !is_known {
            let text = format!("unknown limit type {limit_type}: choose one with Left and Right");
            return Err(Problem::at(FieldName::LimitType, text).refused(Code::LimitTypeUnknown));
        }
        let (scope, identifier) = scope(ticket)?;
        let account = match ticket.text(FieldName::Account) {
            None | Some(ANY | EACH_ACCOUNT) => None,
            Some(_) => Some(
                chosen_account(model, ticket)
                    .ok_or_else(|| Problem::at(FieldName::Account, "unknown account"))?,
            ),
        };
        Ok(Verb::CreateLimit(Box::new(request::NewLimit {
            account,
            limit_type,
            scope,
            identifier,
            value: limit::value(ticket)?,
            unit: needed(ticket, FieldName::Unit, "enter a unit, e.g. USD or percentage")?.into(),
            warning: read::number(ticket, FieldName::Warning)?,
            until: read::until(ticket, model.now)?,
            parameters: note(ticket, FieldName::Parameters),
            reason: note(ticket, FieldName::Reason),
        })))
    }

    fn account(&self, model: &Model, ticket: &Ticket) -> Option<AccountId> {
        chosen_account(model, ticket)
    }

    fn rechosen(&self, model: &Model, ticket: &mut Ticket, field: FieldName) {
        if field != FieldName::Instrument {
            usual_unit(model, ticket);
        }
    }
}

/// Returns what a new limit covers: the narrowest thing that is named.
fn scope(ticket: &Ticket) -> Result<(Scope, Option<String>), Problem> {
    let chosen = |name| ticket.text(name).filter(|text| *text != ANY);
    let named = |name| chosen(name).map(str::to_owned);
    let account = chosen(FieldName::Account);
    match (account, named(FieldName::Instrument), named(FieldName::Portfolio)) {
        (None, None, None) => Ok((Scope::System, None)),
        (None, None, portfolio @ Some(_)) => Ok((Scope::Portfolio, portfolio)),
        (Some(_), None, None) => Ok((Scope::Account, None)),
        (None, instrument @ Some(_), None) => Ok((Scope::Instrument, instrument)),
        (Some(name), instrument @ Some(_), None) if name != EACH_ACCOUNT => {
            Ok((Scope::Instrument, instrument))
        }
        (Some(_), Some(_), None) => {
            let text = "to limit an instrument in each account, set the account to any";
            Err(Problem::at(FieldName::Account, text))
        }
        (_, _, Some(_)) => {
            let text = "a portfolio limit takes no account and no instrument";
            Err(Problem::at(FieldName::Portfolio, text))
        }
    }
}

pub(super) fn facts(model: &Model, limit: &request::NewLimit) -> Facts {
    let account = limit.account.map(|id| model.desk.account_name(id));
    let who = match (limit.scope, account, limit.identifier.as_deref()) {
        (Scope::System, _, _) => "all accounts".to_owned(),
        (_, Some(account), Some(identifier)) => format!("{account} {identifier}"),
        (_, Some(account), None) => account,
        (_, None, Some(identifier)) => identifier.to_owned(),
        (_, None, None) => "each account".to_owned(),
    };
    // A list has no amount: what it lists is its parameters.
    let amount = if limit.unit == Unit::Other(Plain::List) {
        String::new()
    } else {
        format!(": {}", limit.unit.exact(limit.value))
    };
    let parameters = limit.parameters.as_deref().map(|text| format!(" with {text}"));
    let sentence = format!(
        "NEW LIMIT {} of {who}{amount}{}{}",
        limit.limit_type,
        parameters.unwrap_or_default(),
        limit::until_words(limit.until),
    );
    // Reason and expiry do not change the preview.
    let asked = request::NewLimit { until: None, reason: None, ..limit.clone() };
    let preview = Some(LimitPreview::New(Box::new(asked)));
    Facts { preview, ..Facts::new(sentence, limit.account) }
}
