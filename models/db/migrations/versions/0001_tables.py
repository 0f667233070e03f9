"""The foundation: every table. What fences them off follows in 0002."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001b"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "idempotencykey",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "scope", name="pk_idempotencykey"),
    )
    op.create_index("ix_idempotencykey_created", "idempotencykey", ["created_at"], unique=False)
    op.create_table(
        "merchant",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rulebook_version", sa.Integer(), nullable=False),
        sa.Column("survey_after_seconds", sa.Integer(), nullable=False),
        sa.Column("auto_close_after_seconds", sa.Integer(), nullable=False),
        sa.Column("reopen_within_seconds", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_merchant"),
    )
    op.create_table(
        "job",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("request", postgresql.JSONB(), nullable=False),
        sa.Column("result", postgresql.JSONB(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("breached", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_job"),
    )
    op.create_index("ix_job_created", "job", ["merchant_id", "created_at", "id"], unique=False)
    op.create_index("ix_job_running", "job", ["updated_at"], unique=False, postgresql_where=sa.text("status = 'running'"))
    op.create_table(
        "outbox",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "key", name="pk_outbox"),
    )
    # What a relay asks for is in one of them: whose turn it is, and that merchant's oldest.
    of_turn = ["merchant_id", "written_at"]
    op.create_index("ix_outbox_facts", "outbox", of_turn, unique=False, postgresql_where=sa.text("topic IN ('ticket', 'job')"))
    op.create_index("ix_outbox_deliveries", "outbox", of_turn, unique=False, postgresql_where=sa.text("topic IN ('delivery')"))
    op.create_table(
        "healing",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "topic", "id", name="pk_healing"),
    )
    op.create_table(
        "reporter",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sub", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_reporter"),
        sa.UniqueConstraint("merchant_id", "sub", name="uq_reporter_merchant_id_sub"),
    )
    op.create_index("ix_reporter_email", "reporter", ["merchant_id", sa.literal_column("lower(email)")], unique=False)
    op.create_table(
        "configurationversion",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "id", "version", name="pk_configurationversion"),
    )
    op.create_table(
        "team",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_team"),
    )
    op.create_table(
        "agent",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sub", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("team_id", sa.BigInteger(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("availability", sa.String(length=40), nullable=False),
        sa.Column("away_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("skills", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id", "team_id"], ["team.merchant_id", "team.id"], name="fk_agent_merchant_id_team_id"),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_agent"),
        sa.UniqueConstraint("merchant_id", "sub", name="uq_agent_merchant_id_sub"),
    )
    op.create_table(
        "category",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("team_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id", "team_id"], ["team.merchant_id", "team.id"], name="fk_category_merchant_id_team_id"),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_category"),
        sa.UniqueConstraint("merchant_id", "name", name="uq_category_merchant_id_name"),
    )
    op.create_table(
        "ticket",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("organizer_id", sa.BigInteger(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("priority", sa.String(length=40), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("custom_fields", postgresql.JSONB(), nullable=False),
        sa.Column("reporter_id", sa.BigInteger(), nullable=False),
        sa.Column("assignee_id", sa.BigInteger(), nullable=True),
        sa.Column("team_id", sa.BigInteger(), nullable=True),
        sa.Column("is_queued", sa.Boolean(), nullable=False),
        sa.Column("policy_id", sa.BigInteger(), nullable=True),
        sa.Column("policy_version", sa.Integer(), nullable=True),
        sa.Column("calendar_version", sa.Integer(), nullable=True),
        sa.Column("ladder_version", sa.Integer(), nullable=True),
        sa.Column("escalation_level", sa.Integer(), nullable=False),
        sa.Column("sla_status", sa.String(length=40), nullable=True),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution_cycle", sa.Integer(), nullable=False),
        sa.Column("survey_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("auto_close_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopen_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("follow_up_of_id", sa.BigInteger(), nullable=True),
        sa.Column("merged_into_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_responded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("facts_version", sa.Integer(), nullable=False),
        sa.Column("event_sequence", sa.Integer(), nullable=False),
        sa.Column("context", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column(
            "urgency",
            sa.SmallInteger(),
            sa.Computed("array_position(ARRAY['low','normal','high','urgent'], priority::text)", persisted=True),
            nullable=False,
        ),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed("to_tsvector('simple', subject || ' ' || left(description, 20000))", persisted=True),
            nullable=True,
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "assignee_id"], ["agent.merchant_id", "agent.id"], name="fk_ticket_merchant_id_assignee_id"
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "reporter_id"], ["reporter.merchant_id", "reporter.id"], name="fk_ticket_merchant_id_reporter_id"
        ),
        sa.ForeignKeyConstraint(["merchant_id", "team_id"], ["team.merchant_id", "team.id"], name="fk_ticket_merchant_id_team_id"),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_ticket"),
        sa.UniqueConstraint("merchant_id", "number", name="uq_ticket_merchant_id_number"),
    )
    op.create_index("ix_ticket_created", "ticket", ["merchant_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_ticket_load",
        "ticket",
        ["merchant_id", "assignee_id"],
        unique=False,
        postgresql_where=sa.text("status IN ('new', 'on_hold', 'open', 'pending') AND deleted_at IS NULL"),
    )
    op.create_index(
        "ix_ticket_next_due",
        "ticket",
        ["merchant_id", "next_due_at", "id"],
        unique=False,
        postgresql_where=sa.text("next_due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_ticket_queue",
        "ticket",
        ["merchant_id", "team_id"],
        unique=False,
        postgresql_where=sa.text("is_queued AND status IN ('new', 'on_hold', 'open', 'pending') AND deleted_at IS NULL"),
    )
    op.create_index("ix_ticket_reporter", "ticket", ["merchant_id", "reporter_id", "created_at"], unique=False)
    op.create_index("ix_ticket_updated", "ticket", ["merchant_id", "updated_at", "id"], unique=False)
    op.create_index("ix_ticket_urgency", "ticket", ["merchant_id", "urgency", "id"], unique=False)
    op.create_index(
        "ix_ticket_next_deadline", "ticket", ["next_deadline_at"], unique=False, postgresql_where=sa.text("next_deadline_at IS NOT NULL")
    )
    op.create_table(
        "escalation",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("metric", sa.String(length=40), nullable=True),
        sa.Column("cycle", sa.Integer(), nullable=True),
        sa.Column("cause", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_agent_id", sa.BigInteger(), nullable=True),
        sa.Column("to_agent_id", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("acknowledged_by", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_id", "ticket_id"], ["ticket.merchant_id", "ticket.id"], name="fk_escalation_merchant_id_ticket_id"
        ),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_escalation"),
        sa.UniqueConstraint(
            "merchant_id", "ticket_id", "metric", "cycle", "level", name="uq_escalation_merchant_id_ticket_id_metric_cycle_level"
        ),
    )
    op.create_table(
        "event",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("changes", postgresql.JSONB(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id", "ticket_id"], ["ticket.merchant_id", "ticket.id"], name="fk_event_merchant_id_ticket_id"),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_event"),
        sa.UniqueConstraint("merchant_id", "ticket_id", "sequence", name="uq_event_merchant_id_ticket_id_sequence"),
    )
    op.create_table(
        "ledgerentry",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("metric", sa.String(length=40), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spent", sa.Interval(), nullable=False),
        sa.Column("target", sa.Interval(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_running", sa.Boolean(), nullable=False),
        sa.Column("policy_id", sa.BigInteger(), nullable=True),
        sa.Column("policy_version", sa.Integer(), nullable=True),
        sa.Column("calendar_version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_id", "ticket_id"], ["ticket.merchant_id", "ticket.id"], name="fk_ledgerentry_merchant_id_ticket_id"
        ),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_ledgerentry"),
    )
    op.create_index("ix_ledgerentry_ticket", "ledgerentry", ["merchant_id", "ticket_id", "id"], unique=False)
    op.create_table(
        "comment",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("author_kind", sa.Text(), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=True),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id", "ticket_id"], ["ticket.merchant_id", "ticket.id"], name="fk_comment_merchant_id_ticket_id"),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_comment"),
    )
    op.create_index("ix_comment_ticket", "comment", ["merchant_id", "ticket_id", "created_at", "id"], unique=False)
    op.create_table(
        "notification",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("cause_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient_kind", sa.String(length=40), nullable=False),
        sa.Column("recipient_id", sa.BigInteger(), nullable=False),
        sa.Column("recipient_name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("context", postgresql.JSONB(), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("admitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("digest_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_id", "ticket_id"], ["ticket.merchant_id", "ticket.id"], name="fk_notification_merchant_id_ticket_id"
        ),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_notification"),
        sa.UniqueConstraint(
            "merchant_id",
            "cause_id",
            "kind",
            "recipient_id",
            "channel",
            name="uq_notification_merchant_id_cause_id_kind_recipient_id_channel",
        ),
    )
    op.create_index(
        "ix_notification_open", "notification", ["merchant_id", "status", "id"], unique=False, postgresql_where=sa.text("status <> 'sent'")
    )
    op.create_index(
        "ix_notification_admitted",
        "notification",
        ["merchant_id", sa.literal_column("lower(address)"), "admitted_at"],
        unique=False,
        postgresql_where=sa.text("admitted_at IS NOT NULL"),
    )
    op.create_index(
        "ix_notification_digest",
        "notification",
        ["merchant_id", sa.literal_column("lower(address)"), "id"],
        unique=False,
        postgresql_where=sa.text("kind = 'digest'"),
    )
    op.create_index(
        "ix_notification_listed",
        "notification",
        ["merchant_id", "digest_id", "id"],
        unique=False,
        postgresql_where=sa.text("digest_id IS NOT NULL"),
    )
    op.create_index("ix_notification_ticket", "notification", ["merchant_id", "ticket_id", "id"], unique=False)
    op.create_table(
        "slaclock",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("metric", sa.String(length=40), nullable=False),
        sa.Column("cycle", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("target", sa.Interval(), nullable=False),
        sa.Column("spent", sa.Interval(), nullable=False),
        sa.Column("running_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("warned_fraction", sa.Float(), nullable=False),
        sa.Column("breached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_withdrawn", sa.Boolean(), nullable=False),
        sa.Column("reached", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("is_acknowledged", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("policy_id", sa.BigInteger(), nullable=True),
        sa.Column("policy_version", sa.Integer(), nullable=True),
        sa.Column("attributed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attributed_priority", sa.String(length=40), nullable=True),
        sa.Column("attributed_team_id", sa.BigInteger(), nullable=True),
        sa.Column("attributed_agent_id", sa.BigInteger(), nullable=True),
        sa.Column("attributed_organizer_id", sa.BigInteger(), nullable=True),
        sa.Column("used_seconds", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_id", "ticket_id"], ["ticket.merchant_id", "ticket.id"], name="fk_slaclock_merchant_id_ticket_id"
        ),
        sa.PrimaryKeyConstraint("merchant_id", "ticket_id", "metric", "cycle", name="pk_slaclock"),
    )
    reported = ["attributed_team_id", "attributed_agent_id", "attributed_organizer_id", "metric", "attributed_priority"]
    op.create_index(
        "ix_slaclock_breached",
        "slaclock",
        ["merchant_id", "breached_at"],
        unique=False,
        postgresql_where=sa.text("breached_at IS NOT NULL"),
        postgresql_include=reported,
    )
    op.create_index(
        "ix_slaclock_stopped",
        "slaclock",
        ["merchant_id", "stopped_at"],
        unique=False,
        postgresql_where=sa.text("stopped_at IS NOT NULL"),
        postgresql_include=["used_seconds", *reported, "breached_at"],
    )
    # Reports read the indexes alone where vacuum has been: clocks change often, so it comes at a twentieth instead of at a fifth.
    op.execute("ALTER TABLE slaclock SET (autovacuum_vacuum_scale_factor = 0.05)")
    op.create_table(
        "survey",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id", "ticket_id"], ["ticket.merchant_id", "ticket.id"], name="fk_survey_merchant_id_ticket_id"),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_survey"),
        sa.UniqueConstraint("merchant_id", "ticket_id", "cycle", name="uq_survey_merchant_id_ticket_id_cycle"),
    )
    op.create_table(
        "deliveryattempt",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("notification_id", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_id", "notification_id"],
            ["notification.merchant_id", "notification.id"],
            name="fk_deliveryattempt_merchant_id_notification_id",
        ),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="pk_deliveryattempt"),
        sa.UniqueConstraint(
            "merchant_id", "notification_id", "round", "attempt", name="uq_deliveryattempt_merchant_id_notification_id_round_attempt"
        ),
    )
