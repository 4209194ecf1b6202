//! What the console says of a limit at the prices on its screen is what the database measures.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use chrono::DateTime;
use rust_decimal::{Decimal, dec};
use tmt::domain::account::Account;
use tmt::domain::change::Kind;
use tmt::domain::ids::{AccountId, InstrumentId};
use tmt::domain::limit::Limit;
use tmt::domain::marking::Book as Prices;
use tmt::domain::position::Position;
use tmt::domain::quote::Quote;
use tmt::domain::rows::Rows;
use tmt::domain::threshold::Bound;
use tmt::domain::utilisation::{Covered, Measured, Valuation, measure};
use tmt::store::{Options, Store};

use crate::book::{ALPHA, BRAVO, Book};

/// Two decimals of money are rounded in the database and not on the screen.
const NEAR: Decimal = dec!(0.00001);

const INSTRUMENTS: [(&str, &str, &str); 5] = [
    ("EUR", "USD", "1.1"),
    ("USD", "JPY", "155"),
    ("EUR", "GBP", "0.85"),
    ("GBP", "USD", "1.29"),
    ("XAU", "USD", "2400"),
];

/// Each kind that the console measures, over all that it can be set for.
const LIMITS: &str = "
    INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, parameters, created_by)
    SELECT CASE l.place WHEN 'alpha' THEN 'a0000000-0000-7000-8000-000000000001'::uuid END, l.limit_type,
           CASE l.place WHEN 'alpha' THEN 'account' WHEN 'each' THEN 'account' WHEN 'pair' THEN 'instrument' ELSE l.place END,
           CASE l.place WHEN 'portfolio' THEN 'majors' WHEN 'pair' THEN 'EUR_USD' END, l.value, l.unit, l.parameters::jsonb, 'seed'
      FROM (
        SELECT t.limit_type, p.place, u.value, u.unit, '{}' AS parameters
          FROM unnest('{max_exposure,max_net_exposure,max_currency_exposure,max_open_risk,max_daily_loss,max_weekly_loss,
                        max_monthly_loss,max_drawdown}'::text[]) AS t (limit_type),
               unnest('{alpha,each,portfolio,system,pair}'::text[]) AS p (place),
               (VALUES (200000, 'USD'), (150000, 'EUR'), (250, 'percentage'), (2.5, 'fraction')) AS u (value, unit)
         WHERE p.place = ANY ((SELECT array_agg(CASE s WHEN 'account' THEN 'each' WHEN 'instrument' THEN 'pair' ELSE s END)
                                  || CASE WHEN 'account' = ANY (array_agg(s)) THEN '{alpha}'::text[] ELSE '{}' END
                                 FROM tmt.limit_types k, unnest(k.scopes) s WHERE k.limit_type = t.limit_type)::text[])
        UNION ALL VALUES
            ('max_position_size', 'alpha', 70000, 'units', '{}'), ('max_position_size', 'each', 2, 'lots', '{}'),
            ('max_position_size', 'pair', 40000, 'EUR', '{}'), ('max_position_size', 'each', 80, 'percentage', '{}'),
            ('max_open_positions', 'alpha', 7, 'count', '{}'), ('max_open_positions', 'system', 9, 'count', '{}'),
            ('max_open_positions', 'pair', 3, 'count', '{}'),
            ('max_loss_per_position', 'each', 900, 'USD', '{}'), ('max_loss_per_position', 'alpha', 1, 'percentage', '{}'),
            ('max_leverage', 'each', 30, 'ratio', '{}'), ('max_leverage', 'alpha', 900, 'percentage', '{}'),
            ('min_margin_level', 'alpha', 150, 'percentage', '{}'), ('min_margin_level', 'each', 2, 'ratio', '{}'),
            ('max_currency_exposure', 'each', 90000, 'USD', '{\"currency\": \"JPY\"}'),
            ('max_daily_loss', 'each', 5, 'percentage', '{\"base\": \"higher\", \"of\": \"initial\"}'),
            ('max_drawdown', 'alpha', 4, 'percentage', '{\"trailing\": \"eod_balance\", \"lock\": \"initial\"}'),
            ('max_drawdown', 'alpha', 9000, 'USD', '{\"trailing\": \"intraday_equity\"}')
      ) AS l";

/// What the database measures, as a share of what it allows, the worst over accounts and
/// instruments; with a fault where one has no number.
const SHARES: &str = "
    SELECT m.limit_id::text, m.is_minimum, CASE WHEN m.is_minimum THEN min(m.after / m.allowed) ELSE max(m.after / m.allowed) END::text,
           max(m.fault)
      FROM accounts a, instruments i, unnest('{true,false}'::boolean[]) AS live,
           unnest(desk.measure_limits(jsonb_populate_record(
               desk.load_order(a.account_id, i.instrument, NULL, NULL, (desk.quote(i.instrument)).mid, NULL, NULL, NULL), '{\"is_preview\": true}'), live)) AS m
     WHERE a.account_name IN ('alpha', 'bravo') AND i.instrument <> 'EUR_TRY' AND (m.after IS NULL OR m.after < 'Infinity')
     GROUP BY m.limit_id, m.is_minimum";

/// A small generator: the same books on every machine.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// A price within some per cent of another.
    fn near(&mut self, price: &str) -> Decimal {
        let price = Decimal::from_str(price).unwrap();
        (price * (dec!(0.98) + Decimal::from(self.roll(400)) / dec!(10000))).round_dp(3)
    }
}

async fn draw(book: &Book, dice: &mut Dice, has_bare_positions: bool) {
    book.run("DELETE FROM positions").await;
    for account in [ALPHA, BRAVO] {
        for (base, quote, price) in INSTRUMENTS {
            if dice.roll(4) == 0 {
                continue;
            }
            let (price, size) = (dice.near(price), Decimal::from(100 + dice.roll(90_000)));
            let (kind, away) =
                if dice.roll(2) == 0 { ("LONG", dec!(0.99)) } else { ("SHORT", dec!(1.01)) };
            let stop = if has_bare_positions && dice.roll(3) == 0 {
                "NULL".to_owned()
            } else {
                (price * away).round_dp(3).to_string()
            };
            let size = if base == "XAU" { size / dec!(10000) } else { size }.round_dp(2);
            book.run(&format!(
                "INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price, cost, stop_loss)
                 VALUES ('{account}', '{base}_{quote}', '{kind}', {size}, {price}, {price} * {size}, {stop})"
            ))
            .await;
        }
    }
}

async fn prices(book: &Book, dice: &mut Dice) {
    for (base, quote, price) in INSTRUMENTS {
        let bid = dice.near(price);
        let ask = bid + dec!(0.002);
        book.run(&format!(
            "INSERT INTO fx_rates VALUES ('{base}', '{quote}', ({bid}::numeric + {ask}) / 2, {bid}, {ask}, clock_timestamp())
             ON CONFLICT (from_currency, to_currency) DO UPDATE SET rate = EXCLUDED.rate, bid = EXCLUDED.bid,
                ask = EXCLUDED.ask, as_of = EXCLUDED.as_of"
        ))
        .await;
    }
    // What goes round in a circle comes back: otherwise each way to convert gives another number.
    book.run(
        "UPDATE fx_rates c SET rate = m.mid, bid = round(m.mid, 5) - 0.001, ask = round(m.mid, 5) + 0.001
           FROM (SELECT e.rate / g.rate AS mid FROM fx_rates e, fx_rates g
                  WHERE (e.from_currency, e.to_currency, g.from_currency, g.to_currency) = ('EUR', 'USD', 'GBP', 'USD')) AS m
          WHERE (c.from_currency, c.to_currency) = ('EUR', 'GBP');
         SELECT desk.mark_to_market()",
    )
    .await;
}

/// The rows as the console reads them.
struct Screen {
    accounts: BTreeMap<AccountId, Account>,
    positions: Vec<Position>,
    limits: Vec<Limit>,
    prices: Prices,
}

async fn read(book: &Book, store: &Store) -> Screen {
    let mut screen = Screen {
        accounts: BTreeMap::new(),
        positions: Vec::new(),
        limits: Vec::new(),
        prices: Prices::default(),
    };
    for kind in [Kind::Accounts, Kind::Positions, Kind::Limits, Kind::Instruments] {
        screen.take(store.read(kind, None).await.unwrap().rows);
    }
    let sql = "SELECT from_currency || '_' || to_currency, bid, ask FROM fx_rates";
    for row in book.admin.query(sql, &[]).await.unwrap() {
        let id = InstrumentId::new(row.try_get(0).unwrap());
        let (bid, ask) = (row.try_get(1).unwrap(), row.try_get(2).unwrap());
        screen.prices.take(Quote::new(id, bid, ask, DateTime::UNIX_EPOCH, None).unwrap());
    }
    screen
}

impl Screen {
    fn take(&mut self, rows: Rows) {
        if let Rows::Accounts(rows) = rows {
            self.accounts = rows.into_iter().map(|row| (row.id, row)).collect();
        } else if let Rows::Positions(rows) = rows {
            self.positions = rows;
        } else if let Rows::Limits(rows) = rows {
            self.limits = rows;
        } else if let Rows::Instruments(rows) = rows {
            self.prices.set_instruments(rows);
        }
    }

    fn measured(&self, limit: &Limit, now: &Valuation) -> Measured {
        let covered: Vec<Covered<'_>> = self
            .accounts
            .values()
            .filter(|account| limit.looks_at(account.id, account.portfolio.as_deref()))
            .map(|account| Covered {
                account,
                mark: now.accounts.get(&account.id).unwrap(),
                held: now.held.get(&account.id).map_or(&[][..], Vec::as_slice),
            })
            .collect();
        measure(limit, &covered, &self.prices)
    }
}

/// How much of each limit is used, by its id, and why where it has no number.
async fn shares(book: &Book) -> HashMap<String, Result<Decimal, String>> {
    let mut all = HashMap::new();
    for row in book.admin.query(SHARES, &[]).await.unwrap() {
        let (share, fault): (Option<&str>, Option<&str>) =
            (row.try_get(2).unwrap(), row.try_get(3).unwrap());
        let share = match (fault, share) {
            (Some(fault), _) => Err(fault.to_owned()),
            (None, Some(share)) => Ok(Decimal::from_str(share).unwrap()),
            (None, None) => Err("NOTHING".to_owned()),
        };
        all.insert(row.try_get::<_, String>(0).unwrap(), share);
    }
    all
}

/// Compares one limit; `Err` says how the two differ.
fn agree(
    limit: &Limit,
    found: Measured,
    share: Option<&Result<Decimal, String>>,
) -> Result<(), String> {
    let words = || format!("{} {:?} {} {}", limit.limit_type, limit.scope, limit.unit, limit.value);
    let differ = || Err(format!("{}: {found:?} here, {share:?} of it there", words()));
    match (found, share) {
        (Measured::Number(found), Some(Ok(share))) => {
            // The database also says by how much one gained.
            let share = (*share).max(Decimal::ZERO);
            let off = (found / limit.value - share).abs();
            if off <= NEAR * share.max(Decimal::ONE) { Ok(()) } else { differ() }
        }
        (Measured::Unbounded, Some(Err(fault))) if fault == "RISK_UNBOUNDED" => Ok(()),
        // Without margin there is nothing to measure.
        (Measured::Unknown, None | Some(Err(_))) if limit.bound() == Bound::AtLeast => Ok(()),
        _ => differ(),
    }
}

#[tokio::test]
async fn the_console_and_the_database_measure_alike_on_random_books() {
    let book = Book::open().await;
    book.run(
        "INSERT INTO instruments (instrument, asset_class, base_currency, quote_currency, contract_size, tick_size, pip_size, margin_rate)
         VALUES ('EUR_GBP', 'fx', 'EUR', 'GBP', 1, 0.00001, 0.0001, 0.05), ('GBP_USD', 'fx', 'GBP', 'USD', 1, 0.00001, 0.0001, 0.05),
                ('XAU_USD', 'metal', 'XAU', 'USD', 100, 0.01, 0.1, 0.1);
         UPDATE accounts SET max_daily_loss = 1",
    )
    .await;
    book.run(LIMITS).await;
    let login = book.database.login("reader", "tmt_viewer").await;
    let store = Store::connect(Options::parse(&book.database.url_as(&login)).unwrap());
    let mut dice = Dice(20_251_122);
    for round in 0..4 {
        draw(&book, &mut dice, round == 3).await;
        prices(&book, &mut dice).await; // the day begins here, the first time
        prices(&book, &mut dice).await;
        let screen = read(&book, &store).await;
        let now = Valuation::of(&screen.accounts, screen.positions.iter(), &screen.prices);
        let shares = shares(&book).await;
        let differences: Vec<String> = screen
            .limits
            .iter()
            .filter_map(|limit| {
                let share = shares.get(&limit.id.to_string());
                agree(limit, screen.measured(limit, &now), share).err()
            })
            .collect();
        assert_eq!(differences, Vec::<String>::new(), "round {round}, seed 20251122");
        assert!(screen.limits.len() > 100, "{}", screen.limits.len());
        for (id, account) in &screen.accounts {
            let mark = now.accounts.get(id).unwrap();
            assert!(
                (mark.margin.unwrap() - account.margin_used).abs() < dec!(0.05),
                "{}",
                account.name
            );
            assert!((mark.equity.unwrap() - account.equity).abs() < dec!(0.05), "{}", account.name);
        }
    }
}
