-- The end of a condition. Whoever raised a risk event under a key says with the same key that it is over.
SET LOCAL ROLE tmt_owner;

-- Resolves the open event under a key, and returns it; nothing if none is open. What nobody has
-- acknowledged stays so: over is not the same as seen.
CREATE OR REPLACE FUNCTION desk.clear_event(p_dedup text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    cleared uuid;
    now_at timestamptz := clock_timestamp();
BEGIN
    UPDATE risk_events e
       SET auto_resolved = true, resolution_time = now_at
     WHERE e.dedup_key = left(p_dedup, 200) AND e.resolution_time IS NULL
    RETURNING e.event_id INTO cleared;
    IF FOUND THEN
        INSERT INTO risk_event_actions (event_id, action, actor, at)
        VALUES (cleared, 'auto_resolved', session_user, now_at);
    END IF;
    RETURN cleared;
END $$;

REVOKE ALL ON FUNCTION desk.clear_event(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION desk.clear_event(text) TO tmt_agent;
