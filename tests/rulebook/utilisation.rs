//! The console measures limits as the database does.

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
use tmt::store::Store;

use crate::desk::{ALPHA, BRAVO, Desk};
use crate::dice::Dice;
use crate::rows::position;

/// The database rounds money to two decimals, the console does not.
const NEAR: Decimal = dec!(0.00001);

const SEED: u64 = 20_251_122;

const INSTRUMENTS: [(&str, &str, &str); 5] = [
    ("EUR", "USD", "1.1"),
    ("USD", "JPY", "155"),
    ("EUR", "GBP", "0.85"),
    ("GBP", "USD", "1.29"),
    ("XAU", "USD", "2400"),
];

/// Each limit type that the console measures, in each of its scopes.
const LIMITS: &str = "
    INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, parameters, created_by)
    SELECT CASE l.place WHEN 'alpha' THEN $1::uuid END, l.limit_type,
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

/// The use of each limit in the database, the worst over accounts and instruments; with a fault where
/// it cannot be measured.
const SHARES: &str = "
    SELECT m.limit_id::text, m.is_minimum, CASE WHEN m.is_minimum THEN min(m.after / m.allowed) ELSE max(m.after / m.allowed) END::text,
           max(m.fault)
      FROM accounts a, instruments i, unnest('{true,false}'::boolean[]) AS live,
           unnest(desk.measure_limits(jsonb_populate_record(
               desk.load_order(a.account_id, i.instrument, NULL, NULL, (desk.quote(i.instrument)).mid, NULL, NULL, NULL), '{\"is_preview\": true}'), live)) AS m
     WHERE a.account_name IN ('alpha', 'bravo') AND i.instrument <> 'EUR_TRY' AND (m.after IS NULL OR m.after < 'Infinity')
     GROUP BY m.limit_id, m.is_minimum";

/// A price within two per cent of another.
fn near(dice: &mut Dice, price: &str) -> Decimal {
    let price = Decimal::from_str(price).unwrap();
    (price * (dec!(0.98) + Decimal::from(dice.below(400)) / dec!(10000))).round_dp(3)
}

/// Opens random positions.
async fn draw(desk: &Desk, dice: &mut Dice, has_bare_positions: bool) {
    desk.run("DELETE FROM positions").await;
    for account in [ALPHA, BRAVO] {
        for (base, quote, price) in INSTRUMENTS {
            if dice.below(4) == 0 {
                continue;
            }
            let (price, size) = (near(dice, price), Decimal::from(100 + dice.below(90_000)));
            let size = if base == "XAU" { size / dec!(10000) } else { size }.round_dp(2);
            let row = position(account).of_instrument(&format!("{base}_{quote}")).at(price);
            let (row, away) = if dice.below(2) == 0 {
                (row.long(size), dec!(0.99))
            } else {
                (row.short(size), dec!(1.01))
            };
            let is_bare = has_bare_positions && dice.below(3) == 0;
            let row = row.set("cost", "numeric", price * size);
            let stop = (price * away).round_dp(3);
            let row = if is_bare { row } else { row.set("stop_loss", "numeric", stop) };
            row.insert(&desk.admin).await;
        }
    }
}

/// Moves all prices, and values the positions at them.
async fn prices(desk: &Desk, dice: &mut Dice) {
    for (base, quote, price) in INSTRUMENTS {
        let bid = near(dice, price);
        let sql = "INSERT INTO fx_rates VALUES ($1, $2, $3::numeric + 0.001, $3, $3 + 0.002, clock_timestamp())
             ON CONFLICT (from_currency, to_currency) DO UPDATE SET rate = EXCLUDED.rate, bid = EXCLUDED.bid,
                ask = EXCLUDED.ask, as_of = EXCLUDED.as_of";
        desk.execute(sql, &[&base, &quote, &bid]).await;
    }
    // Rates agree around the circle: otherwise each way to convert would give another figure.
    desk.run(
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

async fn read(desk: &Desk, store: &Store) -> Screen {
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
    for row in desk.admin.query(sql, &[]).await.unwrap() {
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

/// The use of each limit by its id, or why it cannot be measured.
async fn shares(desk: &Desk) -> HashMap<String, Result<Decimal, String>> {
    let mut all = HashMap::new();
    for row in desk.admin.query(SHARES, &[]).await.unwrap() {
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
            // For a gain the database gives a negative share.
            let share = (*share).max(Decimal::ZERO);
            let off = (found / limit.value - share).abs();
            if off <= NEAR * share.max(Decimal::ONE) { Ok(()) } else { differ() }
        }
        (Measured::Unbounded, Some(Err(fault))) if fault == "RISK_UNBOUNDED" => Ok(()),
        // Without margin there is no level.
        (Measured::Unknown, None | Some(Err(_))) if limit.bound() == Bound::AtLeast => Ok(()),
        _ => differ(),
    }
}

#[tokio::test]
async fn the_console_measures_limits_as_the_database_does() {
    let desk = Desk::open().await;
    desk.run(
        "INSERT INTO instruments (instrument, asset_class, base_currency, quote_currency, contract_size, tick_size, pip_size, margin_rate)
         VALUES ('EUR_GBP', 'fx', 'EUR', 'GBP', 1, 0.00001, 0.0001, 0.05), ('GBP_USD', 'fx', 'GBP', 'USD', 1, 0.00001, 0.0001, 0.05),
                ('XAU_USD', 'metal', 'XAU', 'USD', 100, 0.01, 0.1, 0.1);
         UPDATE accounts SET max_daily_loss = 1",
    )
    .await;
    desk.execute(LIMITS, &[&ALPHA.0]).await;
    let store = Store::connect(desk.options("reader", "tmt_viewer").await);
    let mut dice = Dice::new(SEED);
    for round in 0..4 {
        draw(&desk, &mut dice, round == 3).await;
        prices(&desk, &mut dice).await; // the day begins here, the first time
        prices(&desk, &mut dice).await;
        let screen = read(&desk, &store).await;
        let now = Valuation::of(&screen.accounts, screen.positions.iter(), &screen.prices);
        let shares = shares(&desk).await;
        let differences: Vec<String> = screen
            .limits
            .iter()
            .filter_map(|limit| {
                let share = shares.get(&limit.id.to_string());
                agree(limit, screen.measured(limit, &now), share).err()
            })
            .collect();
        assert_eq!(differences, Vec::<String>::new(), "round {round}, seed {SEED}");
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
