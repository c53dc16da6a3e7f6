-- Terminals that ask to sign in: a person confirms the code in a browser, and the terminal fetches its key, once. Only
-- hashes of both codes are kept. The key has the terminal's name.
create table device_logins (
    id text collate "C" primary key,
    user_code text collate "C" not null,
    host text collate "C" not null,
    client text collate "C" not null,
    address text collate "C" not null,
    state text collate "C" not null,
    workspace text collate "C" not null,
    person text collate "C" not null,
    life integer not null,
    created_at bigint not null,
    expires_at bigint not null
);
create unique index device_logins_by_code on device_logins (user_code);
create index device_logins_expired on device_logins (expires_at);
alter table keys add column name text collate "C" not null default '';
