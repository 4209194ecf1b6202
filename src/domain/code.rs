//! Codes of the rulebook: why a write was refused, what a check is about, how an accepted write ended.

open_words! {
    /// A stable code, as `tmt.codes` explains it. A limit's code is its type in capitals.
    pub enum Code {
        AccountClosed = "ACCOUNT_CLOSED",
        AccountRiskHalt = "ACCOUNT_RISK_HALT",
        AccountStatus = "ACCOUNT_STATUS",
        AccountSuspended = "ACCOUNT_SUSPENDED",
        AccountUnknown = "ACCOUNT_UNKNOWN",
        AlreadyAcknowledged = "ALREADY_ACKNOWLEDGED",
        AlreadyHalted = "ALREADY_HALTED",
        AlreadyResumed = "ALREADY_RESUMED",
        AmountOutOfRange = "AMOUNT_OUT_OF_RANGE",
        ChargeAmountInvalid = "CHARGE_AMOUNT_INVALID",
        ChargeKindInvalid = "CHARGE_KIND_INVALID",
        ConfirmRequired = "CONFIRM_REQUIRED",
        ConversionRateStale = "CONVERSION_RATE_STALE",
        DuplicateOrder = "DUPLICATE_ORDER",
        DuplicateWindow = "DUPLICATE_WINDOW",
        EventUnknown = "EVENT_UNKNOWN",
        ExpiredRequest = "EXPIRED_REQUEST",
        Fenced = "FENCED",
        Flipped = "FLIPPED",
        FourEyesSamePerson = "FOUR_EYES_SAME_PERSON",
        HaltModeInvalid = "HALT_MODE_INVALID",
        HaltScopeInvalid = "HALT_SCOPE_INVALID",
        HaltTargetUnknown = "HALT_TARGET_UNKNOWN",
        HaltUnknown = "HALT_UNKNOWN",
        InstrumentNotTradable = "INSTRUMENT_NOT_TRADABLE",
        InstrumentUnknown = "INSTRUMENT_UNKNOWN",
        InsufficientMargin = "INSUFFICIENT_MARGIN",
        IsolationLevel = "ISOLATION_LEVEL",
        KeyMissing = "KEY_MISSING",
        KeyReused = "KEY_REUSED",
        LimitChanged = "LIMIT_CHANGED",
        LimitExists = "LIMIT_EXISTS",
        LimitNotEnforced = "LIMIT_NOT_ENFORCED",
        LimitParametersInvalid = "LIMIT_PARAMETERS_INVALID",
        LimitScopeInvalid = "LIMIT_SCOPE_INVALID",
        LimitTargetUnknown = "LIMIT_TARGET_UNKNOWN",
        LimitTypeUnknown = "LIMIT_TYPE_UNKNOWN",
        LimitUnitUnknown = "LIMIT_UNIT_UNKNOWN",
        LimitUnknown = "LIMIT_UNKNOWN",
        LimitUntilPast = "LIMIT_UNTIL_PAST",
        LimitValueInvalid = "LIMIT_VALUE_INVALID",
        LimitWindowUnused = "LIMIT_WINDOW_UNUSED",
        Loosened = "LOOSENED",
        Margin = "MARGIN",
        MaxConsecutiveLosses = "MAX_CONSECUTIVE_LOSSES",
        MaxCorrelatedExposure = "MAX_CORRELATED_EXPOSURE",
        MaxCurrencyExposure = "MAX_CURRENCY_EXPOSURE",
        MaxDailyLoss = "MAX_DAILY_LOSS",
        MaxDailyTrades = "MAX_DAILY_TRADES",
        MaxDrawdown = "MAX_DRAWDOWN",
        MaxExposure = "MAX_EXPOSURE",
        MaxLeverage = "MAX_LEVERAGE",
        MaxLossPerPosition = "MAX_LOSS_PER_POSITION",
        MaxMonthlyLoss = "MAX_MONTHLY_LOSS",
        MaxNetExposure = "MAX_NET_EXPOSURE",
        MaxOpenPositions = "MAX_OPEN_POSITIONS",
        MaxOpenRisk = "MAX_OPEN_RISK",
        MaxOrdersPerMinute = "MAX_ORDERS_PER_MINUTE",
        MaxOrderSize = "MAX_ORDER_SIZE",
        MaxOrderValue = "MAX_ORDER_VALUE",
        MaxPositionSize = "MAX_POSITION_SIZE",
        MaxPriceAge = "MAX_PRICE_AGE",
        MaxRiskPerTrade = "MAX_RISK_PER_TRADE",
        MaxSpread = "MAX_SPREAD",
        MaxStopDistance = "MAX_STOP_DISTANCE",
        MaxWeeklyLoss = "MAX_WEEKLY_LOSS",
        MinMarginLevel = "MIN_MARGIN_LEVEL",
        MinRiskReward = "MIN_RISK_REWARD",
        MinStopDistance = "MIN_STOP_DISTANCE",
        NoteRequired = "NOTE_REQUIRED",
        NothingToChange = "NOTHING_TO_CHANGE",
        NothingToFlatten = "NOTHING_TO_FLATTEN",
        NotAcknowledged = "NOT_ACKNOWLEDGED",
        NotExecuted = "NOT_EXECUTED",
        NotPending = "NOT_PENDING",
        NotPermitted = "NOT_PERMITTED",
        NoConversionRate = "NO_CONVERSION_RATE",
        NoEquity = "NO_EQUITY",
        OutsideTradingHours = "OUTSIDE_TRADING_HOURS",
        PartlyFlattened = "PARTLY_FLATTENED",
        PendingApproval = "PENDING_APPROVAL",
        PercentageLooksLikeFraction = "PERCENTAGE_LOOKS_LIKE_FRACTION",
        PositionNotOpen = "POSITION_NOT_OPEN",
        PositionStop = "POSITION_STOP",
        PositionUnknown = "POSITION_UNKNOWN",
        PriceAge = "PRICE_AGE",
        PriceCollar = "PRICE_COLLAR",
        PriceMissing = "PRICE_MISSING",
        PriceNotATick = "PRICE_NOT_A_TICK",
        PriceOutOfRange = "PRICE_OUT_OF_RANGE",
        PriceStale = "PRICE_STALE",
        PriceUnknown = "PRICE_UNKNOWN",
        ProposalExpired = "PROPOSAL_EXPIRED",
        RateNotCurrent = "RATE_NOT_CURRENT",
        ReasonRequired = "REASON_REQUIRED",
        Reduced = "REDUCED",
        ReduceOnlyExceedsPosition = "REDUCE_ONLY_EXCEEDS_POSITION",
        Repaired = "REPAIRED",
        RestrictedInstrument = "RESTRICTED_INSTRUMENT",
        RiskAmount = "RISK_AMOUNT",
        RiskPercentage = "RISK_PERCENTAGE",
        RiskReward = "RISK_REWARD",
        RiskUnbounded = "RISK_UNBOUNDED",
        RiskUnknown = "RISK_UNKNOWN",
        RrOutOfRange = "RR_OUT_OF_RANGE",
        SideUnknown = "SIDE_UNKNOWN",
        SignalAlreadyExecuted = "SIGNAL_ALREADY_EXECUTED",
        SignalExpired = "SIGNAL_EXPIRED",
        SignalMismatch = "SIGNAL_MISMATCH",
        SignalNotPending = "SIGNAL_NOT_PENDING",
        SignalSlippage = "SIGNAL_SLIPPAGE",
        SignalUnknown = "SIGNAL_UNKNOWN",
        SizeAboveMaximum = "SIZE_ABOVE_MAXIMUM",
        SizeBelowMinimum = "SIZE_BELOW_MINIMUM",
        SizeMissing = "SIZE_MISSING",
        SizeNotAStep = "SIZE_NOT_A_STEP",
        SizeOutOfRange = "SIZE_OUT_OF_RANGE",
        StopDistanceZero = "STOP_DISTANCE_ZERO",
        StopRequired = "STOP_REQUIRED",
        StopWrongSide = "STOP_WRONG_SIDE",
        TargetRequired = "TARGET_REQUIRED",
        TargetWrongSide = "TARGET_WRONG_SIDE",
        Tightened = "TIGHTENED",
        TradeNotOpen = "TRADE_NOT_OPEN",
        TradingHalt = "TRADING_HALT",
        TradingHours = "TRADING_HOURS",
        Unchanged = "UNCHANGED",
        WarningInvalid = "WARNING_INVALID",
        Widened = "WIDENED",

        // What the console says by itself: nothing was written.
        /// Another write held the lock for too long.
        Busy = "BUSY",
        /// Serialization failed, at every attempt.
        Conflict = "CONFLICT",
        /// A value that no column takes.
        Invalid = "INVALID",
        /// There was no connection.
        NotSent = "NOT_SENT",
        /// A standby, or `screen.read_only`.
        ReadOnly = "READ_ONLY",
        /// The database refused and gave no code.
        Refused = "REFUSED",
        /// A trigger of the tables refused.
        Rule = "RULE",
        /// A function is missing.
        Schema = "SCHEMA",
        /// The server is out of connections, memory or disk.
        ServerFull = "SERVER_FULL",
        /// The server's own time limit.
        TooSlow = "TOO_SLOW",
    }
}

impl Code {
    /// Returns the code as people read it: `stop wrong side`.
    pub fn words(&self) -> String {
        self.as_str().to_lowercase().replace('_', " ")
    }

    /// Tells whether a check with this code holds an amount against a ceiling, of which a share can
    /// be used. A floor is not used up by rising; a tick and a step are no ceilings, nor is the time
    /// since a twin. Of a code that is not known nobody can tell.
    pub fn has_ceiling(&self) -> bool {
        !matches!(
            self,
            Self::MinMarginLevel
                | Self::MinRiskReward
                | Self::MinStopDistance
                | Self::PriceNotATick
                | Self::PriceOutOfRange
                | Self::SizeNotAStep
                | Self::SizeBelowMinimum
                | Self::SizeOutOfRange
                | Self::RrOutOfRange
                | Self::DuplicateOrder
                | Self::Unknown(_)
        )
    }
}
