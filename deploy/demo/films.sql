-- The films of the demo as a film service keeps them (SQLite). The first are those of films.json; the others are new whenever
-- this is run, and made up.

CREATE TABLE film (
    -- A UUID in lower case with hyphens.
    id           TEXT PRIMARY KEY,
    title        TEXT NOT NULL,
    -- The first showing to the public.
    release_date TEXT NOT NULL CHECK (release_date IS date(release_date)),
    -- From 0 to 10, by the demo's own viewers; none before the release.
    rating       REAL CHECK (rating BETWEEN 0 AND 10)
) STRICT;
CREATE INDEX film_by_release ON film (release_date);

CREATE TABLE genre (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE film_genre (
    film_id  TEXT NOT NULL REFERENCES film (id) ON DELETE CASCADE,
    genre_id INTEGER NOT NULL REFERENCES genre (id),
    PRIMARY KEY (film_id, genre_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE person (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE film_director (
    film_id   TEXT NOT NULL REFERENCES film (id) ON DELETE CASCADE,
    person_id INTEGER NOT NULL REFERENCES person (id),
    PRIMARY KEY (film_id, person_id)
) STRICT, WITHOUT ROWID;

CREATE TEMPORARY TABLE seed (id, title, release_date, rating, genre, director, second_director);
INSERT INTO seed VALUES
    ('0f3b9a52-6f0e-4c1e-9a55-2d7b1c8e4a10', 'The General', '1926-12-31', 8.1, 'comedy', 'Buster Keaton', 'Clyde Bruckman'),
    ('7c9e6679-7425-40de-944b-e07fc1f90ae7', 'Stalker', '1979-05-25', 8.0, 'science fiction', 'Andrei Tarkovsky', NULL),
    ('3ceaaf30-8142-48ea-91d9-3080f9b439fc', 'A Trip to the Moon', '1902-09-01', 8.2, 'science fiction', 'Georges Méliès', NULL),
    ('9dfb369b-ab13-4fae-a276-55daa05f1119', 'The Cabinet of Dr. Caligari', '1920-02-26', 8.0, 'horror', 'Robert Wiene', NULL),
    ('6301bbfc-a0c5-454e-8ff9-bb510944fe0c', 'Nosferatu', '1922-03-04', 7.8, 'horror', 'F. W. Murnau', NULL),
    ('6fced11d-2bd8-41e6-847a-8387cdde8d51', 'Safety Last!', '1923-04-01', 8.1, 'comedy', 'Fred C. Newmeyer', 'Sam Taylor'),
    ('3a124c64-7e02-4f05-b7c1-dce27f7695f5', 'Sherlock Jr.', '1924-04-21', 8.2, 'comedy', 'Buster Keaton', NULL),
    ('66080f17-4c96-48e2-9cbd-0ba3a1a6bcde', 'Battleship Potemkin', '1925-12-21', 7.9, 'drama', 'Sergei Eisenstein', NULL),
    ('b120a366-f0bb-49cf-82f2-dc05873f9bd0', 'The Gold Rush', '1925-06-26', 8.1, 'comedy', 'Charlie Chaplin', NULL),
    ('78b7d0ac-8477-4ce0-8e4c-da11b43c589b', 'Metropolis', '1927-01-10', 8.3, 'science fiction', 'Fritz Lang', NULL),
    ('2330fcf1-562a-44b8-8866-8d77e827062c', 'Sunrise: A Song of Two Humans', '1927-09-23', 8.1, 'drama', 'F. W. Murnau', NULL),
    ('c1acc990-6424-450a-a36b-f9b3ddcb369d', 'The Passion of Joan of Arc', '1928-04-21', 8.1, 'drama', 'Carl Theodor Dreyer', NULL),
    ('9ad9b9a2-5e78-454d-b065-a1c284cc4549', 'Man with a Movie Camera', '1929-01-08', 8.3, 'documentary', 'Dziga Vertov', NULL),
    ('99356597-6fba-4662-b6a7-30b7b12e9eed', 'M', '1931-05-11', 8.3, 'thriller', 'Fritz Lang', NULL),
    ('8df08078-a22e-4180-85c2-c2af3977a654', 'City Lights', '1931-01-30', 8.5, 'comedy', 'Charlie Chaplin', NULL),
    ('f3194a3b-381e-43e7-952c-466e473a1797', 'L''Atalante', '1934-09-12', 7.7, 'drama', 'Jean Vigo', NULL),
    ('c498b6e7-3648-445e-9afa-3a387f006745', 'The 39 Steps', '1935-06-06', 7.6, 'thriller', 'Alfred Hitchcock', NULL),
    ('ab57f985-4332-43da-a75a-2e199b58ba8d', 'The Rules of the Game', '1939-07-08', 7.9, 'drama', 'Jean Renoir', NULL),
    ('c1b87f1a-7323-491b-99f9-cbef0f69a4d0', 'His Girl Friday', '1940-01-18', 7.8, 'comedy', 'Howard Hawks', NULL),
    ('2eb73728-2fea-475e-b536-5e1458294a90', 'Bicycle Thieves', '1948-11-24', 8.3, 'drama', 'Vittorio De Sica', NULL),
    ('ac3e0b5b-c291-4709-8c1e-26038dabf68e', 'The Third Man', '1949-09-01', 8.1, 'film noir', 'Carol Reed', NULL),
    ('2f314fdb-43c4-4bc7-a4cc-dcf9ea5ee53c', 'Rashomon', '1950-08-26', 8.2, 'drama', 'Akira Kurosawa', NULL),
    ('bafe9bd1-20c5-4152-9127-c47089bf36a2', 'Tokyo Story', '1953-11-03', 8.1, 'drama', 'Yasujirō Ozu', NULL),
    ('fe014372-9313-4adf-bba3-fec76ca387b5', 'Seven Samurai', '1954-04-26', 8.6, 'adventure', 'Akira Kurosawa', NULL),
    ('9280ba2e-1534-43fd-b357-71b237d047c9', 'Pather Panchali', '1955-08-26', 8.2, 'drama', 'Satyajit Ray', NULL),
    ('6800e67e-527f-4da6-96ec-4c60da8f3fe2', 'The Seventh Seal', '1957-02-16', 8.1, 'drama', 'Ingmar Bergman', NULL),
    ('98daa4bf-7559-4f89-b3fb-95ee22432045', '8½', '1963-02-14', 8.0, 'drama', 'Federico Fellini', NULL),
    ('b6d9f6f4-5cdc-48b9-9a64-00c790010259', '2001: A Space Odyssey', '1968-04-03', 8.3, 'science fiction', 'Stanley Kubrick', NULL),
    ('365bf63a-6659-4554-8410-3017ead492d2', 'In the Mood for Love', '2000-05-20', 8.1, 'romance', 'Wong Kar-wai', NULL),
    ('6a015b66-5e4a-429c-9be7-df00cba497dd', 'Spirited Away', '2001-07-20', 8.6, 'animation', 'Hayao Miyazaki', NULL),
    ('5d1f6a0e-8f0b-4c55-9f0c-6f3a2b7d9e01', 'The Last Projectionist', date('now', '-40 days'), 7.9, 'drama', 'Ines Duarte', NULL),
    ('5d1f6a0e-8f0b-4c55-9f0c-6f3a2b7d9e02', 'Salt and Satellites', date('now', '-14 months'), 7.1, 'science fiction', 'Tomasz Wilk', 'Ada Okoro'),
    ('5d1f6a0e-8f0b-4c55-9f0c-6f3a2b7d9e03', 'Night Bus to Aktau', date('now', '-35 months'), 8.0, 'thriller', 'Aigerim Seitova', NULL),
    ('5d1f6a0e-8f0b-4c55-9f0c-6f3a2b7d9e04', 'The Quiet Algorithm', date('now', '+20 days'), NULL, 'documentary', 'Jonas Lindqvist', NULL),
    ('5d1f6a0e-8f0b-4c55-9f0c-6f3a2b7d9e05', 'Paper Lanterns', date('now', '-37 months'), 7.4, 'animation', 'Mei Tanaka', NULL);

INSERT INTO film (id, title, release_date, rating) SELECT id, title, release_date, rating FROM seed;
INSERT INTO genre (name) SELECT DISTINCT genre FROM seed ORDER BY genre;
INSERT INTO film_genre (film_id, genre_id) SELECT seed.id, genre.id FROM seed JOIN genre ON genre.name = seed.genre;
INSERT INTO person (name) SELECT director FROM seed UNION SELECT second_director FROM seed WHERE second_director IS NOT NULL;
INSERT INTO film_director (film_id, person_id)
    SELECT seed.id, person.id FROM seed JOIN person ON person.name IN (seed.director, seed.second_director);
DROP TABLE seed;
