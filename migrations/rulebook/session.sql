-- The session, its rights, and settings.
CREATE FUNCTION desk.session(OUT login text, OUT role text, OUT database text, OUT server_version text,
    OUT schema_version integer, OUT timescale text, OUT in_recovery boolean, OUT server_time timestamptz, OUT environment text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT session_user::text,
           CASE WHEN desk.has_role('tmt_admin') THEN 'admin'
                WHEN desk.has_role('tmt_risk_officer') THEN 'risk_officer'
                WHEN desk.has_role('tmt_trader') THEN 'trader'
                WHEN desk.has_role('tmt_viewer') THEN 'viewer'
                ELSE 'none' END,
           current_database()::text, current_setting('server_version'),
           (SELECT max(m.version) FROM tmt.schema_migrations m),
           (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'timescaledb'),
           pg_is_in_recovery(), clock_timestamp(), coalesce(desk.setting('environment'), 'live')
$$;

-- Whether the login is a member of one of these groups. session_user is the login even in SECURITY DEFINER
-- functions, and SET ROLE does not change it.
CREATE FUNCTION desk.has_role(VARIADIC p_groups text[]) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY p_groups LOOP
        IF pg_has_role(session_user, one, 'MEMBER') THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;

CREATE FUNCTION desk.setting(p_key text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT s.value FROM tmt.settings s WHERE s.key = p_key);
END $$;
