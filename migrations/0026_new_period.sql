-- A console shows what an account has lost since its day, week or month began. The beginning is not in
-- the account's row, so a new period is noted as a change of the account.
SET LOCAL ROLE tmt_owner;

CREATE OR REPLACE FUNCTION desk.note_new_period() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO desk.change_log (xid, kind, id, at)
    SELECT DISTINCT pg_current_xact_id(), 'accounts', CASE WHEN c.n <= 500 THEN c.account_id::text END, clock_timestamp()
      FROM (SELECT n.account_id, count(*) OVER () AS n FROM new_rows n) c;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tr_note_new_period AFTER INSERT ON performance_metrics
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION desk.note_new_period();
