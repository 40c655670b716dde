// Texts to try the page with, where no index is served.

export const QUERY = "who was the first woman to win a Nobel Prize";

export const TEXTS = `12.1\tThe Nobel Prize is awarded every year in six fields. The first prizes were awarded in 1901, five years after the death of Alfred Nobel.
11.4\tAlfred Nobel was a Swedish chemist who invented dynamite. In his will he left his fortune to the prizes that bear his name.
10.9\tThe first woman in space was Valentina Tereshkova, who orbited the Earth 48 times in June 1963.
9.6\tMarie Curie, born in Warsaw, shared the prize in physics of 1903 with her husband Pierre and with Henri Becquerel. No woman had received one before her.
8.8\tSelma Lagerlöf received the prize in literature in 1909. She wrote “The Wonderful Adventures of Nils”.
7.9\tTo win a prize at the fair, throw three rings over the first bottle.`;
