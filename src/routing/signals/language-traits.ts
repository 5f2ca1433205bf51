// What languages are told by: their scripts, and where several share one, little words, letters and endings.

/** Scripts that tell a language by themselves. */
export const SCRIPTS: readonly (readonly [code: string, letter: RegExp])[] = [
  ['ja', /[\p{sc=Hiragana}\p{sc=Katakana}]/gu],
  ['zh', /\p{sc=Han}/gu],
  ['ko', /\p{sc=Hangul}/gu],
  ['th', /\p{sc=Thai}/gu],
  ['he', /\p{sc=Hebrew}/gu],
  ['el', /\p{sc=Greek}/gu],
  ['hi', /\p{sc=Devanagari}/gu],
  ['bn', /\p{sc=Bengali}/gu],
  ['ta', /\p{sc=Tamil}/gu],
  ['ka', /\p{sc=Georgian}/gu],
  ['hy', /\p{sc=Armenian}/gu],
]

export interface Traits {
  /** Words that stand in many of its sentences; those of several languages count less for each. */
  readonly words: string
  /** Letters that it has and most of its neighbours have not. */
  readonly letters?: string
  readonly endings?: string
}

/** Languages that share their script with others. */
export const TRAITS: Readonly<Record<string, Traits>> = {
  en: {
    words:
      'the of and to is in that it for you with this are what how please can my your not from at do does which would should i we an be have has was were if why when about me into write make give tell explain fix hello hi thanks use using code who a by on or as but there their',
    endings: 'ing tion ould ght ness ly',
  },
  de: {
    words:
      'der die das und ist nicht ein eine einen zu mit auf für ich du wir sie es den dem des im von wie was bitte kann werden auch sich oder mein meine bei wird sind warum wenn mir über diese dieser hallo guten tag schreibe erkläre kannst wer wo',
    letters: 'äöüß',
    endings: 'ung lich keit sch cht eren ten',
  },
  fr: {
    words:
      'le la les des est et un une que qui dans pour pas sur avec ce cette je vous nous il elle du au aux comment plus sont être mais ou mon pourquoi quel quelle bonjour moi tu de en l d qu c j écris explique salut merci peux',
    letters: 'éèêëçàâùûîïôœ',
    endings: 'tion eux ment ique aux ez',
  },
  es: {
    words:
      'el la los las de que y en un una es por con para no se del al lo como más pero su mi me qué cómo está son cuál puede este esta favor hola escribe sobre cuáles tu gracias dos veces explícame puedes',
    letters: 'ñ¿¡áéíóú',
    endings: 'ción ado ando iendo mente ías',
  },
  it: {
    words:
      'il lo la gli le di che e un una è per con non si del della dei sono come più ma nel alla questo questa cosa perché mi ho puoi quale qual sull dell l ciao scrivi stai una grazie spiegami sul',
    letters: 'èàìòù',
    endings: 'zione gli are tà iamo ica',
  },
  pt: {
    words:
      'o os as de que e em um uma é por com para não se do da dos das no na como mais mas seu sua você está são qual pode este esta isso sobre olá escreva tudo bem a meu minha obrigado explique',
    letters: 'ãõçáéíóúâêô',
    endings: 'ção ões ando mente inho ica',
  },
  nl: {
    words:
      'de het een en van is dat niet te op met voor ik je wij zij in zijn aan ook er maar hoe wat kan bij als deze dit waarom naar kun me over schrijf los goedemorgen hallo dank mij helpen',
    endings: 'ijk aar heid sch tje lijk en',
  },
  pl: {
    words:
      'i w na nie się jest to z że do jak co czy po dla od ale o tak jestem są proszę może który która przez mi napisz jaka jaki dzień dobry cześć mój moja',
    letters: 'łąęśźżćńó',
    endings: 'ować ego ych ość anie cji',
  },
  sv: {
    words:
      'och att det som en är på av för med den till inte om ett han jag har vi du kan hur vad så men i hej mig skriv denna min varför',
    letters: 'åäö',
    endings: 'ning lig het ande orna en',
  },
  da: {
    words:
      'og at det som en er på af for med den til ikke om et han jeg har vi du kan hvordan hvad så men i hej mig skriv denne min hvorfor hvilken',
    letters: 'åæø',
    endings: 'ning lig hed ende erne en',
  },
  no: {
    words:
      'og å det som en er på av for med den til ikke om et han jeg har vi du kan hvordan hva så men i hei meg skriv denne min hvorfor hvilken',
    letters: 'åæø',
    endings: 'ning lig het ende ene en',
  },
  fi: {
    words:
      'ja on ei se että oli hän mutta ovat kun niin kuin mitä mikä miten miksi minä sinä voi voit tämä tämän minun hei kiitos kirjoita onko',
    letters: 'äö',
    endings: 'ssa ssä lla llä sta stä inen nen kki taan',
  },
  hu: {
    words:
      'a az és nem hogy egy van ez azt is mi mit ki hol hogyan miért de csak meg már kérlek szia kell lehet írj nekem',
    letters: 'őűáéíóöúü',
    endings: 'ban ben nak nek ság ség ból ről',
  },
  ro: {
    words:
      'și în de la cu nu este care un o ce cum pe din pentru sunt mai dar sau eu tu mă îmi poți scrie salut despre mulțumesc ale lui',
    letters: 'ășțțâîşţ',
    endings: 'ului ilor ează ției rea',
  },
  tr: {
    words:
      've bir bu için ile ne da de mi mı nasıl çok daha var değil ben sen gibi kadar ama olarak bana hakkında merhaba yaz nedir hangi lütfen',
    letters: 'ğışçöü',
    endings: 'lar ler dır dir ım ın yor nın',
  },
  cs: {
    words:
      'a je se na v že to jak s z do pro jsem jsou ale nebo co který když být může o dobrý den prosím mi napiš jaké jaký tuto můžete ahoj',
    letters: 'ěřůčšžýáíé',
    endings: 'ní ého ých ost ovat ství',
  },
  vi: {
    words: 'là và của có không cho một được các trong này với tôi bạn như thế nào người gì về viết xin chào làm để hãy',
    letters: 'đơưăạảấầậắặẹẻếềệịọộớờợụủứừựỹ',
  },
  id: {
    words:
      'yang dan di ini itu dengan untuk dari tidak adalah saya anda akan pada ke bagaimana apa bisa tentang tulis cara kamu tolong halo siapa buat',
    endings: 'kan nya lah aan',
  },
  ru: {
    words:
      'и в не на что с я как это по но из у за к от для мы вы он она так же или если про какая какой мне привет напиши объясни почему можно про',
    letters: 'ыэъё',
    endings: 'ние ого ать ить ция ции цию ую ет ый ая ние сь ие',
  },
  uk: {
    words: 'і в не на що з я як це та до у за але від для ми ви він вона чи є якщо або про яка який мені привіт напиши',
    letters: 'іїєґ',
    endings: 'ння ого ати ити ція ції ть ий',
  },
  bg: {
    words: 'и в не на че с аз как това по но от за към да е са се ще или ако коя кой какво ми здравей напиши ли',
    letters: 'ъ',
    endings: 'ата ите ият ята ето ват ане ция',
  },
  ar: {
    words: 'في من على أن إلى هذا هذه ما لا هو هي التي الذي كيف عن مع أو هل كان مرحبا اكتب كيف اشرح لي',
    letters: 'ةىأإكي',
    endings: 'ات ون ين ية',
  },
  fa: {
    words: 'در از به که این را با است برای آن یک چه می و تا یا چگونه من شما هست چیست درباره کنم',
    letters: 'پچژگکی',
    endings: 'های ها ان',
  },
  ur: {
    words: 'کے میں کی ہے اور سے کا کو یہ کہ نہیں پر ہیں کیا ایک ہوں آپ کیسے',
    letters: 'ٹڈڑےںھہپچگکی',
  },
}
