-- The audit chain is walked line by line: it is as long as the desk is old, and was gathered in memory.
SET LOCAL ROLE tmt_owner;

-- Walks the chain and answers with the first line that does not fit, or with no row if all do. The head is
-- the last line: it was written with it.
CREATE OR REPLACE FUNCTION desk.audit_verify(OUT bad_seq bigint, OUT reason text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    line   desk.audit_log%ROWTYPE;
    last   bigint := 0;
    latest bytea := sha256('tmt');
    head   desk.audit_head%ROWTYPE;
BEGIN
    FOR line IN SELECT * FROM desk.audit_log a ORDER BY a.seq LOOP
        bad_seq := line.seq;
        reason := CASE
            WHEN line.seq <> last + 1 THEN 'lines before this one are missing'
            WHEN line.prev_hash <> latest THEN 'does not follow the line before it'
            WHEN line.hash <> desk.audit_hash(line.prev_hash, line.seq, line.at, line.actor, line.verb, line.key, line.outcome,
                     line.code, line.subject, line.payload) THEN 'was changed after it was written'
        END;
        IF reason IS NOT NULL THEN
            RETURN NEXT;
            RETURN;
        END IF;
        last := line.seq;
        latest := line.hash;
    END LOOP;
    SELECT * INTO head FROM desk.audit_head;
    bad_seq := greatest(head.seq, last);
    reason := CASE
        WHEN head.seq > last THEN 'the chain ends before its head: lines at its end are missing'
        WHEN head.seq < last THEN 'stands after the head of the chain'
        WHEN head.hash <> latest THEN 'is not what the head of the chain says'
    END;
    IF reason IS NOT NULL THEN
        RETURN NEXT;
    END IF;
END $$;
