-- Plans are forgotten with the intents that they were made for: what a person was asked may be in their words.
-- forget_at: when something that named the plan is gone, the moment from which it may go too, if nothing names it then.

alter table plans add column forget_at integer;
create index plans_forgettable on plans (forget_at) where forget_at is not null;
create index intents_planned on intents (plan);
create index workflows_planned on workflows (plan_digest);

-- Those whose intents are long gone are found once, a day from now.
update plans set forget_at = (unixepoch() + 86400) * 1000000;
