CREATE TABLE users (email text PRIMARY KEY, password_hash text, blocked boolean, is_admin boolean, created_at timestamptz);
INSERT INTO users VALUES
    ('neo@example.org', '$2b$04$GLdpRseZGzTYEOTB/5KcNOqKDSrMzrg3TjGrTNEDOCI4CkW0SwPZ2', false, false, '2020-01-31T12:00:00Z'),
    ('trinity@example.org', '$argon2id$v=19$m=64,t=2,p=2$vYeljC0U/zYJy0bvS/AEmQ$tWgB9XMf2y5E5zOsEbYUeNGkHMDMHaFRZZDjK5yuPYQ', false, true, '2020-01-31T12:00:00Z'),
    ('gone', '$2b$04$GLdpRseZGzTYEOTB/5KcNOqKDSrMzrg3TjGrTNEDOCI4CkW0SwPZ2', true, false, '2020-01-31T12:00:00Z');
