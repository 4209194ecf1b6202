//! The tables of TMT's data model, as an existing database has to have them to be adopted.

/// A table and its columns, each with the name PostgreSQL has for its type. Precisions are left
/// out: a column that somebody widened is used as it is found.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static str,
}

/// The ten tables.
pub(super) const MODEL: &[Table] = &[
    Table {
        name: "accounts",
        columns: "account_id uuid, account_name varchar, broker varchar, platform varchar, \
                  account_type varchar, prop_firm varchar, base_currency bpchar, \
                  initial_balance numeric, current_balance numeric, available_balance numeric, \
                  margin_used numeric, equity numeric, status varchar, risk_profile varchar, \
                  max_daily_loss numeric, max_total_drawdown numeric, created_at timestamptz, \
                  updated_at timestamptz, last_trade_at timestamptz, metadata jsonb",
    },
    Table {
        name: "account_credentials",
        columns: "credential_id uuid, account_id uuid, credential_type varchar, \
                  encrypted_data bytea, encryption_key_id varchar, is_active bool, \
                  expires_at timestamptz, created_at timestamptz, updated_at timestamptz",
    },
    Table {
        name: "trades",
        columns: "trade_id uuid, account_id uuid, signal_id uuid, instrument varchar, \
                  trade_type varchar, position_size numeric, entry_price numeric, \
                  exit_price numeric, stop_loss numeric, take_profit numeric, \
                  risk_amount numeric, risk_percentage numeric, gross_pnl numeric, \
                  net_pnl numeric, commission numeric, swap_fee numeric, slippage numeric, \
                  signal_time timestamptz, entry_time timestamptz, exit_time timestamptz, \
                  duration_seconds int4, status varchar, close_reason varchar, \
                  trade_session varchar, platform_trade_id varchar, platform_order_ids jsonb, \
                  execution_venue varchar, metadata jsonb, created_at timestamptz, \
                  updated_at timestamptz",
    },
    Table {
        name: "positions",
        columns: "position_id uuid, account_id uuid, instrument varchar, position_type varchar, \
                  total_size numeric, average_entry_price numeric, current_price numeric, \
                  stop_loss numeric, take_profit numeric, trailing_stop_distance numeric, \
                  unrealized_pnl numeric, realized_pnl numeric, daily_pnl numeric, \
                  opened_at timestamptz, last_updated_at timestamptz, status varchar, \
                  platform_position_ids jsonb, metadata jsonb",
    },
    Table {
        name: "signals",
        columns: "signal_id uuid, instrument varchar, signal_type varchar, confidence numeric, \
                  entry_price numeric, stop_loss numeric, take_profit numeric, \
                  risk_reward_ratio numeric, timeframe varchar, wyckoff_phase varchar, \
                  volume_confirmation bool, market_structure_break bool, agent_id varchar, \
                  model_version varchar, analysis_data jsonb, generated_at timestamptz, \
                  valid_until timestamptz, status varchar, execution_count int4, \
                  total_executed_size numeric, signal_performance jsonb",
    },
    Table {
        name: "market_data",
        columns: "time timestamptz, instrument varchar, open numeric, high numeric, low numeric, \
                  close numeric, volume int8, tick_count int4, typical_price numeric, \
                  price_change numeric, price_change_pct numeric, timeframe varchar, \
                  data_source varchar, quality_score numeric",
    },
    Table {
        name: "risk_limits",
        columns: "limit_id uuid, account_id uuid, limit_type varchar, limit_scope varchar, \
                  scope_identifier varchar, limit_value numeric, limit_unit varchar, \
                  warning_threshold numeric, time_window varchar, is_active bool, \
                  description text, created_by varchar, approved_by varchar, \
                  effective_from timestamptz, effective_until timestamptz, \
                  created_at timestamptz, updated_at timestamptz",
    },
    Table {
        name: "risk_events",
        columns: "event_id uuid, account_id uuid, event_type varchar, severity varchar, \
                  event_source varchar, risk_measure varchar, current_value numeric, \
                  limit_value numeric, threshold_breached varchar, related_trade_id uuid, \
                  related_position_id uuid, related_limit_id uuid, action_taken varchar, \
                  auto_resolved bool, resolution_time timestamptz, event_data jsonb, \
                  occurred_at timestamptz, created_at timestamptz",
    },
    Table {
        name: "agents",
        columns: "agent_id varchar, agent_name varchar, agent_type varchar, \
                  config_version varchar, config_data jsonb, status varchar, \
                  last_heartbeat timestamptz, uptime_seconds int8, total_requests int8, \
                  error_count int8, average_response_time_ms numeric, version varchar, \
                  deployment_id varchar, started_at timestamptz, created_at timestamptz, \
                  updated_at timestamptz, metadata jsonb",
    },
    Table {
        name: "system_events",
        columns: "event_id uuid, event_type varchar, event_category varchar, severity varchar, \
                  source_agent varchar, source_component varchar, source_instance varchar, \
                  event_message text, event_data jsonb, correlation_id uuid, \
                  parent_event_id uuid, trace_id varchar, occurred_at timestamptz, \
                  received_at timestamptz, processed bool, acknowledged bool, \
                  acknowledged_by varchar, acknowledged_at timestamptz",
    },
];

/// Names of the ten tables.
pub(super) fn tables() -> Vec<&'static str> {
    MODEL.iter().map(|table| table.name).collect()
}

impl Table {
    /// Each column as a name and a type.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.columns.split(", ").filter_map(|column| column.trim().split_once(' '))
    }
}
