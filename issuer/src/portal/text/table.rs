//! The texts, a line each: its name, English, Russian.

macro_rules! texts {
    ($($name:ident: $english:literal, $russian:literal;)+) => {
        /// Every text of the pages, in one language.
        #[derive(Debug)]
        pub(in crate::portal) struct Text {
            $(pub(in crate::portal) $name: &'static str,)+
        }

        /// In English.
        pub(in crate::portal) static ENGLISH: Text = Text { $($name: $english,)+ };

        /// In Russian.
        pub(in crate::portal) static RUSSIAN: Text = Text { $($name: $russian,)+ };

        /// Name, English and Russian of each.
        #[cfg(test)]
        pub(in crate::portal) const TEXTS: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $russian)),+];
    };
}

texts! {
    // Around every page.
    skip: "Skip to the content", "Перейти к содержанию";
    main_navigation: "Main", "Основная";
    languages: "Language", "Язык";
    error_prefix: "Error: ", "Ошибка: ";
    signed_in_as: "Signed in as", "Вы вошли как";
    none: "none", "нет";
    unknown: "unknown", "неизвестно";
    optional: "optional", "необязательно";
    older: "Older", "Раньше";
    save: "Save", "Сохранить";
    search: "Search", "Найти";
    delete: "Delete", "Удалить";
    create: "Create", "Создать";

    // Signing in and out.
    sign_in: "Sign in", "Войти";
    sign_in_lead: "Use your login and password.", "Введите логин и пароль.";
    goes_on_to: "After that you go on to", "После этого вы перейдёте на";
    register: "Create an account", "Создать аккаунт";
    register_lead: "A login and a password are all it takes.", "Нужны только логин и пароль.";
    no_account: "No account yet?", "Ещё нет аккаунта?";
    have_account: "Have an account already?", "Уже есть аккаунт?";
    sign_out: "Sign out", "Выйти";
    sign_out_lead: "This session ends at once, everywhere it is in use.", "Этот сеанс сразу завершится везде, где он используется.";
    sign_out_everywhere: "Sign out everywhere", "Выйти везде";
    sign_out_everywhere_lead: "Ends every session of yours at once, this one included.", "Сразу завершает все ваши сеансы, включая этот.";
    login: "Login", "Логин";
    login_hint: "3 to 64 characters, no spaces.", "От 3 до 64 символов, без пробелов.";
    password: "Password", "Пароль";
    new_password: "New password", "Новый пароль";
    current_password: "Current password", "Текущий пароль";
    password_hint_before: "At least", "Не менее";
    password_hint_after: "characters. A few words make a good one.", "символов. Хорошо подойдут несколько слов.";
    show_password: "Show", "Показать";
    hide_password: "Hide", "Скрыть";

    // The account.
    account: "Account", "Аккаунт";
    change_login: "Change login", "Сменить логин";
    change_password: "Change password", "Сменить пароль";
    change_password_lead: "Every other session ends.", "Все остальные сеансы завершатся.";
    roles: "Roles", "Роли";
    member_since: "Member since", "Зарегистрирован";
    sessions: "Sessions", "Сеансы";
    sessions_lead: "Where you are signed in.", "Где вы вошли.";
    this_session: "this one", "текущий";
    end_session: "End", "Завершить";
    device_unknown: "Unknown device", "Неизвестное устройство";
    address: "Address", "Адрес";
    began: "Signed in", "Вход";
    last_used: "Last used", "Последнее использование";
    history: "Sign-in history", "История входов";
    history_lead: "Every attempt to sign in to this account, good or bad.", "Все попытки входа в этот аккаунт, удачные и нет.";
    history_empty: "Nothing yet.", "Пока пусто.";
    outcome_success: "Signed in", "Вход выполнен";
    outcome_wrong_password: "Wrong password", "Неверный пароль";
    outcome_disabled: "The account was disabled", "Аккаунт был отключён";
    outcome_throttled: "Too many attempts", "Слишком много попыток";

    // What was done.
    done_signed_out: "You are signed out.", "Вы вышли.";
    done_signed_out_everywhere: "You are signed out everywhere.", "Вы вышли на всех устройствах.";
    done_login: "The login is changed.", "Логин изменён.";
    done_password: "The password is changed. Every other session has ended.", "Пароль изменён. Остальные сеансы завершены.";
    done_session: "The session has ended.", "Сеанс завершён.";
    done_saved: "Saved.", "Сохранено.";
    done_deleted: "Deleted.", "Удалено.";

    // What is wrong with a field.
    field_missing: "Please fill this in.", "Заполните это поле.";
    field_invalid: "This cannot be taken.", "Это значение не подходит.";
    login_too_short: "The login is too short.", "Логин слишком короткий.";
    login_too_long: "The login is too long.", "Логин слишком длинный.";
    login_invalid: "The login has a character that logins cannot have, such as a space.", "В логине есть недопустимый символ, например пробел.";
    login_taken: "Somebody else has this login.", "Этот логин уже занят.";
    password_too_short: "The password is too short.", "Пароль слишком короткий.";
    password_too_long: "The password is too long: 256 characters at most.", "Пароль слишком длинный: не более 256 символов.";
    password_common: "This password is among the first that others try.", "Этот пароль подбирают одним из первых.";
    password_same_as_login: "The password is the login.", "Пароль совпадает с логином.";
    password_invalid: "The password has a character that passwords cannot have.", "В пароле есть недопустимый символ.";
    wrong_password: "The current password is wrong.", "Текущий пароль неверен.";
    name_invalid: "2 to 64 characters: small letters, digits, - and _, a letter first.", "От 2 до 64 символов: строчные латинские буквы, цифры, - и _, первая — буква.";
    name_reserved: "This name has a meaning of its own.", "Это имя занято системой.";
    role_name_taken: "Another role has this name.", "Роль с таким именем уже есть.";
    description_invalid: "At most 500 characters, on one line.", "Не более 500 символов, в одну строку.";
    roles_unknown: "One of these roles does not exist.", "Одной из этих ролей нет.";
    labels_unknown: "One of these labels does not exist.", "Одной из этих меток нет.";
    label_taken: "Another label has this name.", "Метка с таким именем уже есть.";
    labels_too_many: "There can be no more labels.", "Больше меток создать нельзя.";
    film_labels_too_many: "These are more labels than a film can carry.", "У фильма не может быть столько меток.";
    film_invalid: "This is no film id: a UUID is expected.", "Это не идентификатор фильма: ожидается UUID.";
    action_unknown: "There is no such action.", "Такого действия нет.";

    // What is wrong with a form.
    invalid_credentials: "Wrong login or password.", "Неверный логин или пароль.";
    account_disabled: "This account is disabled.", "Этот аккаунт отключён.";
    too_many_requests: "Too many attempts. Wait a minute and try again.", "Слишком много попыток. Подождите минуту и попробуйте снова.";
    overloaded: "Too much at once. Try again.", "Слишком большая нагрузка. Попробуйте ещё раз.";
    forbidden: "You are not allowed to do this.", "У вас нет на это прав.";
    built_in_role: "A built-in role stays as it is.", "Встроенную роль изменить нельзя.";
    label_in_use: "Films carry this label. Tick the box to take it from them.", "Эта метка есть у фильмов. Отметьте флажок, чтобы снять её с них.";
    last_superuser: "The last superuser must stay one.", "Последний суперпользователь должен остаться.";

    // What went wrong.
    problem_forbidden: "Not allowed", "Нет доступа";
    problem_cross_site: "This form is out of date", "Форма устарела";
    problem_cross_site_detail: "It was opened before you signed in or out, or did not come from here. Go back, reload the page and try again.", "Она открыта до входа или выхода либо отправлена не отсюда. Вернитесь, обновите страницу и попробуйте снова.";
    problem_not_found: "Nothing here", "Здесь ничего нет";
    problem_not_found_detail: "It may have been deleted, or the address is wrong.", "Возможно, это удалено или адрес неверен.";
    problem_too_many: "Too many attempts", "Слишком много попыток";
    problem_unavailable: "Out of order for a moment", "Временно недоступно";
    problem_unavailable_detail: "Try again in a moment.", "Попробуйте ещё раз чуть позже.";
    problem_ambiguous: "Two sign-ins at once", "Два входа одновременно";
    problem_ambiguous_detail: "Your browser sent two different cookies of one name. Delete the cookies of this site and sign in again.", "Браузер прислал две разные cookie с одним именем. Удалите cookie этого сайта и войдите снова.";
    problem_request: "This cannot be read", "Запрос не распознан";
    problem_request_detail: "Go back and try again.", "Вернитесь и попробуйте снова.";
    problem_internal: "Something is wrong on our side", "Ошибка на нашей стороне";
    problem_internal_detail: "It has been written down. Try again later.", "Мы её записали. Попробуйте позже.";
    request_id: "Request", "Запрос";

    // Administration.
    users: "Users", "Пользователи";
    users_search: "Login begins with", "Логин начинается с";
    users_empty: "Nobody has such a login.", "Нет такого логина.";
    active: "Active", "Активен";
    disabled: "Disabled", "Отключён";
    superuser: "Superuser", "Суперпользователь";
    disable: "Disable the account", "Отключить аккаунт";
    disable_lead: "Every session of theirs ends at once, everywhere.", "Все сеансы сразу завершатся везде.";
    enable: "Enable the account", "Включить аккаунт";
    make_superuser: "Make a superuser", "Сделать суперпользователем";
    unmake_superuser: "No longer a superuser", "Убрать права суперпользователя";
    superuser_lead: "A superuser may do everything.", "Суперпользователь может всё.";
    grant: "Give", "Выдать";
    take: "Take away", "Забрать";
    role_to_give: "Role to give", "Выдать роль";
    all_roles_given: "Every role is given.", "Выданы все роли.";
    registered: "Registered", "Зарегистрирован";
    role: "Role", "Роль";
    new_role: "New role", "Новая роль";
    name: "Name", "Имя";
    description: "Description", "Описание";
    built_in: "built in", "встроенная";
    delete_role_lead: "It is taken from everyone at once.", "Она сразу будет отобрана у всех.";
    labels: "Labels", "Метки";
    label: "Label", "Метка";
    labels_lead: "A film that carries a label is for those who have one of its roles.", "Фильм с меткой доступен тем, у кого есть одна из её ролей.";
    new_label: "New label", "Новая метка";
    anonymous: "Open to everybody", "Открыта всем";
    satisfied_by: "Any of these roles satisfies it", "Достаточно любой из этих ролей";
    delete_label_force: "Take it from the films that carry it", "Снять её с фильмов, у которых она есть";
    films: "Films", "Фильмы";
    films_lead: "A film without labels is open to all.", "Фильм без меток открыт всем.";
    film_id: "Film id", "Идентификатор фильма";
    film_labels: "Labels of the film", "Метки фильма";
    keys: "Keys", "Ключи";
    keys_lead: "They sign access tokens. They are rotated by themselves, or from the command line.", "Ими подписываются токены доступа. Они сменяются сами или из командной строки.";
    key_next: "published, signs next", "опубликован, будет подписывать следующим";
    key_active: "signs", "подписывает";
    key_retired: "verifies what it signed", "проверяет подписанное им";
    key_revoked: "revoked", "отозван";
    key_signs_from: "Signs from", "Подписывает с";
    key_published_until: "Published until", "Опубликован до";
    since: "Since", "С";
    verifiers: "Verifiers", "Верификаторы";
    verifiers_lead: "As each of them says of itself at this moment; counts are since its start.", "Что каждый из них сообщает о себе сейчас; счётчики — с его запуска.";
    verifiers_empty: "None is listed: name their admin addresses in portal.verifiers.", "Список пуст: укажите их служебные адреса в portal.verifiers.";
    verifier_away: "does not answer", "не отвечает";
    replica_age: "Age of the replica", "Возраст реплики";
    decisions_allowed: "Allowed", "Разрешено";
    decisions_refused: "Refused", "Отказано";
    cache_hit_rate: "Found in the cache", "Найдено в кэше";
    live_pause: "Stop updating", "Остановить обновление";
    live_resume: "Update", "Обновлять";
    audit: "Audit", "Аудит";
    audit_lead: "Administrative acts and security events.", "Действия администраторов и события безопасности.";
    actor: "Actor", "Кто";
    action: "Action", "Действие";
    subject: "Subject", "Над чем";
    detail: "Detail", "Подробности";
    user_id: "User id", "Идентификатор пользователя";
    user_id_lead: "You may give roles, not look through users: ask the person, or an administrator, for the id.", "Вы можете выдавать роли, но не просматривать пользователей: узнайте идентификатор у самого человека или администратора.";
    show: "Show", "Показать";
}

#[cfg(test)]
mod tests {
    use super::TEXTS;

    #[test]
    fn every_text_is_in_its_language() {
        for (name, english, russian) in TEXTS {
            assert!(english.is_ascii(), "{name}: {english}");
            let cyrillic = |c: char| ('а'..='я').contains(&c.to_lowercase().next().unwrap_or(c));
            assert!(russian.chars().any(cyrillic), "{name}: {russian}");
            let spaced = |text: &str| (text.starts_with(' '), text.ends_with(' '));
            assert_eq!(spaced(english), spaced(russian), "{name}");
        }
    }
}
